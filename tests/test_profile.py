import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub import LocalHub, make_features, make_files, make_rows
from ruamel.yaml import YAML

from fusionseq.errors import PipelineError
from fusionseq.params import Params, read_params, validate_params
from fusionseq.profile import apply_profile, main
from fusionseq.sections import HuggingFaceParams, ImageFolderParams, ImageNetWeights

ROOT = Path(__file__).parent.parent
PROFILES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "profiles").glob("*.yaml")}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# What each cannot do without.
EDITS = {"default": [], "paper": [f"data.revision={COMMIT}"], "imagefolder": ["data.path=/images"], "gpu": []}
START = apply_profile((ROOT / "params.yaml").read_text(encoding="utf-8"), PROFILES["default"], [])


def apply(name: str, *edits: str, text: str = START) -> str:
    return apply_profile(text, PROFILES[name], [*EDITS[name], *edits])


def parse(text: str) -> Params:
    return validate_params(yaml.safe_load(text), "params.yaml")


def read_error(name: str, *edits: str, text: str = START) -> str:
    with pytest.raises(PipelineError) as caught:
        apply_profile(text, PROFILES[name], edits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def list_outside(text: str, names: set[str]) -> list[str]:
    """The lines that belong to none of these sections."""
    lines, is_within = [], False
    for line in text.split("\n"):
        if line and not line.startswith(" "):
            is_within = line.partition(":")[0] in names
        if not (is_within and line):
            lines.append(line)
    return lines


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and the profiles, the current one."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / "params.yaml").write_text(START, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fusionseq.profile", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def fail(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run the command in vain, and return the one line that says why."""
    monkeypatch.setattr(sys, "argv", ["profile", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    message = str(caught.value.code)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


def test_every_profile_is_tested() -> None:
    assert PROFILES.keys() == EDITS.keys()


def test_committed_parameters_are_the_embedded_default() -> None:
    committed = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert committed == START, "run `python -m fusionseq.profile default`, or bring profiles/default.yaml up to date"


def test_default_leads_back_from_every_section() -> None:
    assert yaml.safe_load(PROFILES["default"]).keys() == Params.model_fields.keys()


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_default_leads_back_to_the_byte(name: str) -> None:
    changed = apply(name, "seeds=[7]", "statistics.confidence=0.9", "first_trained_layer.vgg16=block5_conv3")
    assert changed != START
    assert apply("default", text=changed) == START
    assert apply("default", text=apply("gpu", text=changed)) == START


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_profile_twice_changes_nothing_more(name: str) -> None:
    assert apply(name, text=apply(name)) == apply(name)


@pytest.mark.parametrize("name", ["paper", "imagefolder", "gpu"])
def test_sections_and_comments_outside_stay_as_they_are(name: str) -> None:
    # As a person may have left it: another order of keys, other spaces, quotes, numbers and line ends.
    text = START + "# The end.\r\n\r\n\n"
    text = text.replace("statistics:\n", "# Mine.\n\nstatistics:   # of 'all'  \n")
    text = text.replace('"44e6', "'44e6").replace('99a8"', "99a8'").replace("dropout: 0.5", "dropout:   5.0e-01")
    sections = set(yaml.safe_load(PROFILES[name]))
    assert list_outside(apply(name, text=text), sections) == list_outside(text, sections)


@pytest.mark.parametrize("name", ["paper", "imagefolder", "gpu"])
def test_comments_within_the_sections_come_along(name: str) -> None:
    profile = PROFILES[name].replace("revision: main", f'revision: "{COMMIT}"').replace("path: null", "path: /images")
    changed = apply(name).split("\n")
    assert [line for line in profile.split("\n") if not line.startswith("#") and line not in changed] == []


def test_paper_is_the_published_experiment() -> None:
    params = parse(apply("paper"))
    assert isinstance(params.data, HuggingFaceParams)
    assert (params.data.name, params.data.revision) == ("Bingsu/Cat_and_Dog", COMMIT)
    assert isinstance(params.weights, ImageNetWeights)
    assert (params.image_size, params.split.use) == (224, "source")
    # The source paper, Sections 6 and 7.
    assert (params.head.units, params.head.dropout) == (256, 0.5)


def test_own_images_need_neither_network_nor_gpu() -> None:
    params = parse(apply("imagefolder"))
    assert isinstance(params.data, ImageFolderParams)
    assert params.weights.source == "embedded"
    assert params.runtime == parse(START).runtime


def test_own_images_go_with_other_weights() -> None:
    params = parse(apply("imagefolder", text=apply("paper")))
    assert (params.data.source, params.split.use, params.weights.source) == ("imagefolder", "ours", "imagenet")


def test_gpu_changes_the_runtime_alone() -> None:
    before, after = parse(START), parse(apply("gpu"))
    assert after == before.model_copy(update={"runtime": after.runtime})
    assert (after.runtime.devices, after.runtime.deterministic) == ("all", True)


def test_edits_come_after_the_profile_in_any_section() -> None:
    params = parse(
        apply(
            "gpu",
            "runtime.threads=3",
            "head.units=512",
            "training.frozen.learning_rate=5e-4",
            "seeds=[4, 5]",
            "image_size=64",
            "data.images_per_class=20",
            "head.units=128",
        )
    )
    assert (params.runtime.threads, params.runtime.precision) == (3, "mixed_float16")
    assert (params.head.units, params.training.frozen.learning_rate, params.seeds) == (128, 5e-4, [4, 5])
    assert (params.image_size, parse(apply("default", "data.images_per_class=null")).image_size) == (64, 48)


@pytest.mark.parametrize(
    "name",
    [
        "my photos", "50%", "a & b", "{x}", "[x]", "#1", "a #b", "a: b", "~", "it's", '"quoted"', "naïve 猫 😀", "null",
        "1.0", "$HOME ${x} $(x)", r"back\slash", "two\nlines", "tab\t", " space ", "-", "? !", "*&@`|>", "a=b",
        "\u2028", "\ufeff", "\x85", "\x1b[1m",
    ],
)  # fmt: skip
def test_path_survives_as_it_is(name: str, tmp_path: Path) -> None:
    path = f"/images/{name}/{name}"
    file = tmp_path / "params.yaml"
    file.write_text(apply("imagefolder", f"data.path={path}"), encoding="utf-8", newline="")
    assert read_params(file).data.path == path
    # As DVC reads it.
    assert YAML(typ="safe", pure=True).load(file)["data"]["path"] == path


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("~", "/home/me"),
        ("~/my images", "/home/me/my images"),
        ("images", "{here}/images"),
        ("../images/", "{above}/images"),
        (".", "{here}"),
        ("./~", "{here}/~"),
        ("null", "{here}/null"),
        ("2024", "{here}/2024"),
        ("/a/b/../c//d/.", "/a/c/d"),
        ("//images", "/images"),
    ],
)
def test_path_becomes_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str, path: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    expected = path.format(here=folder, above=folder.parent)
    assert parse(apply("imagefolder", f"data.path={typed}")).data.path == expected


def test_links_are_not_followed(folder: Path) -> None:
    (folder / "link").symlink_to("/usr")
    assert parse(apply("imagefolder", "data.path=link/../images")).data.path == f"{folder}/images"


def test_path_that_params_cannot_hold_is_one_error() -> None:
    assert read_error("imagefolder", "data.path=/\udcff").startswith("data.path is not UTF-8")


@pytest.mark.parametrize("edits", [[], ["data.path="], ["data.labels=labels.csv"]])
def test_folder_of_images_must_be_named(edits: list[str]) -> None:
    message = "the folder of your images is yet to be named; add data.path=/path/to/images."
    assert read_error("imagefolder", *edits) == message


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("head.unit=3", "params.yaml: head.unit is not a parameter; remove it or mend its name."),
        ("header.units=3", "params.yaml: header is not a parameter; remove it or mend its name."),
        ("head.units=many", "params.yaml: head.units: "),
        ("head.units=[512]", "params.yaml: head.units: "),
        ("head=512", "params.yaml: head must be a section with keys of its own. Got 512."),
        ("data=digits", "params.yaml: data"),
        ("image_size.height=3", "image_size.height cannot be set: image_size is no section."),
        ("data.path=elsewhere", "params.yaml: data.path: "),
        ("data.source=imagefolder", "params.yaml: data."),
        ("split.train=0.9", "params.yaml: split.train + split.validation + split.test must be 1."),
        ("split.use=source", "params.yaml: split.use must be ours"),
        ("seeds=[0, 0]", "params.yaml: seeds must not repeat."),
        ("runtime.jit_compile=yes", "params.yaml: runtime.jit_compile: "),
        ("head.units", "an edit must look like section.key=value. Got 'head.units'."),
    ],
)
def test_edit_with_an_invalid_result_is_refused(edit: str, expected: str) -> None:
    assert read_error("gpu", edit).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "params.yaml: must be a mapping of sections. Got NoneType."),
        ("head: [1\n", "params.yaml: is not valid YAML: "),
        ("head: 2020-99-99\n", "params.yaml: is not valid YAML: "),
        (START.replace("confidence: 0.95", "confidence: 95"), "params.yaml: statistics.confidence: "),
        # Valid, but not laid out in lines.
        (yaml.safe_dump(yaml.safe_load(START), default_flow_style=True), "params.yaml is laid out in a way that "),
    ],
)
def test_parameters_that_cannot_be_edited_are_refused(text: str, expected: str) -> None:
    assert read_error("gpu", text=text).startswith(expected)


def test_damaged_section_is_mended_by_a_profile_that_holds_it() -> None:
    assert apply("default", text=START.replace("units: 256", "units: 0\n  more: 1")) == START
    assert parse(apply("default", text=START[: START.index("runtime:")])) == parse(START)


def test_parameters_as_dvc_writes_them_can_be_edited() -> None:
    text = START.replace("seeds: [0, 1, 2]", "seeds:\n- 0\n- 1\n- 2").replace("1.0e-3", "0.001")
    changed = apply("gpu", "seeds=[3]", text=text)
    assert "\nseeds: [3]\n\nstatistics:" in changed
    assert parse(changed).seeds == [3]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


def test_branch_becomes_the_commit_that_it_stands_for(hub: LocalHub) -> None:
    rows = {"default": {"train": make_rows(4, seed=0), "test": make_rows(2, seed=9)}}
    commit = hub.publish("Bingsu/Cat_and_Dog", make_files(rows, make_features()))
    changed = apply_profile(START, PROFILES["paper"], [])
    assert isinstance(data := parse(changed).data, HuggingFaceParams)
    assert data.revision == commit
    # The commit is in the file, so another profile asks no more.
    asked = len(hub.requests)
    apply("gpu", text=changed)
    assert len(hub.requests) == asked > 0


def test_branch_that_does_not_exist_is_one_error(hub: LocalHub) -> None:
    hub.publish("Bingsu/Cat_and_Dog", {"README.md": b""})
    message = read_error("paper", "data.revision=1.0")
    assert "at revision 1.0" in message
    assert message.endswith("Or name a commit, which needs no hub: data.revision=…")


def test_command_shows_the_change_and_then_makes_it(folder: Path) -> None:
    file = folder / "params.yaml"
    shown = run(folder, "gpu", "head.units=512", "--dry-run", "seeds=[0]")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert file.read_text(encoding="utf-8") == START
    assert shown.stdout.startswith("--- params.yaml\n+++ params.yaml, gpu\n@@ ")
    assert "\n-  units: 256\n+  units: 512\n" in shown.stdout
    assert "\n-seeds: [0, 1, 2]\n+seeds: [0]\n" in shown.stdout
    assert "\x1b" not in shown.stdout
    done = run(folder, "gpu", "head.units=512", "seeds=[0]")
    assert done.stdout.splitlines()[:-1] == shown.stdout.splitlines()[:-1]
    assert done.stdout.splitlines()[-1].startswith("params.yaml: changed to the profile gpu")
    assert file.read_text(encoding="utf-8") == apply("gpu", "head.units=512", "seeds=[0]")
    again = run(folder, "gpu", "head.units=512", "seeds=[0]", "--show")
    assert again.stdout == "params.yaml: is as the profile gpu has it; nothing to change\n"


def test_change_is_coloured_in_a_terminal(folder: Path) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TERM": "xterm"}
    for name in ("NO_COLOR", "COLUMNS"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "fusionseq.profile", "gpu"]
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.run(command, env=environment, stdout=theirs, check=False)
        os.close(theirs)
        output = terminal.read(4096).decode()
    assert done.returncode == 0
    assert "\x1b[31m-  devices: one" in output
    assert "\x1b[32m+  devices: all" in output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["imagefolder"], "the folder of your images is yet to be named"),
        (["papre"], "there is no profile 'papre'; profiles/ holds default, gpu, imagefolder, paper."),
        (["../profiles/gpu"], "there is no profile '../profiles/gpu'"),
        (["gpu", "head.units=0"], "params.yaml: head.units: "),
        (["gpu", "head.units"], "an edit must look like section.key=value."),
    ],
)
def test_command_that_is_refused_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    assert fail(monkeypatch, *arguments).startswith(f"error: {expected}")
    assert (folder / "params.yaml").read_text(encoding="utf-8") == START


def test_command_elsewhere_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert fail(monkeypatch, "gpu").endswith("profiles/ holds none: run this in the folder of params.yaml.")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.yaml").write_text("seeds: [0]\n", encoding="utf-8")
    assert "params.yaml: cannot be read as UTF-8 text" in fail(monkeypatch, "mine")


def test_file_that_cannot_be_written_is_one_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In the way of the temporary file; permissions would not stop root.
    (folder / f".{os.getpid()}.params.yaml").mkdir()
    assert "params.yaml: cannot be written" in fail(monkeypatch, "gpu")
    assert (folder / "params.yaml").read_text(encoding="utf-8") == START


def test_help_tells_how_to_call_it(folder: Path) -> None:
    done = run(folder, "--help")
    assert done.returncode == 0
    for part in (
        "default",
        "paper",
        "imagefolder",
        "gpu",
        "section.key=value",
        "--dry-run",
        "data.path=/path/to/images",
    ):
        assert part in done.stdout


def test_a_folder_that_is_not_there_changes_nothing(folder: Path) -> None:
    before = (folder / "params.yaml").read_bytes()
    done = run(folder, "imagefolder", f"data.path={folder}/nowhere")
    assert done.returncode == 1
    assert f"error: {folder}/nowhere (data.path) is not a folder" in done.stderr
    assert (folder / "params.yaml").read_bytes() == before


def test_a_typo_is_named_before_the_hub_is_asked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    # Nothing listens there: whoever asks is told of the network.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.chdir(folder)
    assert "head.unitz is not a parameter" in fail(monkeypatch, "paper", "head.unitz=3")


def test_make_wants_a_profile_for_an_edit(folder: Path) -> None:
    done = make(folder, *MADE, "profile", "SET=head.units=512")
    assert done.returncode == 2
    assert done.stderr.startswith("error: SET is an edit of a profile; name one, as in PROFILE=default.\n")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder, with nothing of a make that may run this."""
    names = {"GPU", "MAKEFLAGS", "MFLAGS", "PROFILE", "SET"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    shutil.copy(ROOT / "Makefile", folder)
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


# Takes the environments for made.
MADE = ("--old-file=.venv/installed", "--old-file=.venv-gpu/installed")


@pytest.mark.parametrize("gpu", [[], ["GPU=1"]])
def test_make_applies_a_profile_with_edits(folder: Path, gpu: list[str]) -> None:
    path = f"{folder}/my photos/#1 {{x}} $HOME $(x) ~ 'it' \"is\" 50% 猫"
    Path(path).mkdir(parents=True)
    (folder / "src").symlink_to(ROOT / "src")
    done = make(folder, *MADE, "profile", "PROFILE=imagefolder head.units=512", f"SET=data.path={path}", *gpu)
    assert done.returncode == 0, done.stderr
    params = read_params(folder / "params.yaml")
    assert (params.data.path, params.head.units) == (path, 512)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], None),
        (["PROFILE=paper"], 'python -m fusionseq.profile paper ${SET:+"$SET"}'),
        (["PROFILE=paper", "GPU=1"], 'python -m fusionseq.profile paper ${SET:+"$SET"}'),
    ],
)
def test_reproduce_applies_a_profile_only_where_one_is_named(
    folder: Path, arguments: list[str], command: str | None
) -> None:
    done = make(folder, *MADE, "--dry-run", "reproduce", *arguments)
    lines = done.stdout.splitlines()
    profiles = [line for line in lines if "fusionseq.profile" in line]
    assert profiles == ([] if command is None else [command])
    assert not profiles or lines.index(profiles[0]) < lines.index("python -m dvc repro")


@pytest.mark.parametrize(("arguments", "variant"), [([], ""), (["GPU=0"], ""), (["GPU=1"], "-gpu")])
def test_gpu_has_an_environment_of_its_own(tmp_path: Path, arguments: list[str], variant: str) -> None:
    for name in ("requirements.txt", "requirements-gpu.txt", "requirements-uv.txt"):
        shutil.copy(ROOT / name, tmp_path)
    done = make(tmp_path, "--dry-run", "lint", *arguments)
    assert re.findall(r"--requirement (\S+)", done.stdout) == ["requirements-uv.txt", f"requirements{variant}.txt"]
    assert set(re.findall(r"\.venv[\w-]*", done.stdout)) == {f".venv{variant}"}
