"""Whole datasets, from a hub on loopback and through the real client libraries."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hub import (
    SIGNATURE,
    TOKEN,
    LocalHub,
    Row,
    encode_parquet,
    make_features,
    make_files,
    make_image,
    make_noise,
    make_rows,
)

from fusionseq.checksums import Checksums
from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.datasets.huggingface import Plan, load_huggingface, plan_huggingface, resolve_revision
from fusionseq.errors import BadImageError, PipelineError

SOURCE = Path(__file__).parent.parent / "src"
NAME = "acme/noise"
TRAIN, TEST = "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


class Loader:
    """Loads from one folder, as one clone of the repository does."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.checksums = folder / "checksums.json"

    def load(self, revision: str, config: str | None = None, **columns: str) -> Dataset:
        image, label = columns.get("image_column"), columns.get("label_column")
        return load_huggingface(NAME, revision, config, image, label, self.cache, Checksums(self.checksums), pause=0)

    def plan(self, revision: str, **columns: str) -> Plan:
        image, label = columns.get("image_column"), columns.get("label_column")
        return plan_huggingface(NAME, revision, None, image, label, self.cache, Checksums(self.checksums), pause=0)


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


def read_images(dataset: Dataset) -> list[EncodedImage]:
    images = list(dataset.images)
    assert all(isinstance(image, EncodedImage) for image in images)
    return [image for image in images if isinstance(image, EncodedImage)]


def fail(loader: Loader, revision: str, config: str | None = None, **columns: str) -> str:
    """Load in vain, and return the one line that says why."""
    with pytest.raises(PipelineError) as caught:
        loader.load(revision, config, **columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def publish_rows(hub: LocalHub, rows: list[Row]) -> str:
    return hub.publish(NAME, make_files({"default": {"train": rows}}, make_features()))


def test_a_dataset_arrives_whole(hub: LocalHub, loader: Loader) -> None:
    files = make_noise()
    revision = hub.publish(NAME, files)
    dataset = loader.load(revision)
    images = read_images(dataset)
    rows = [*make_rows(40, seed=0), *make_rows(20, seed=100)]
    assert dataset.class_names == ("cat", "dog")
    assert dataset.num_images == 60
    assert [image.content for image in images] == [row["image"]["bytes"] for row in rows]
    assert [image.label for image in images] == [row["label"] for row in rows]
    assert [image.subset for image in images] == ["train"] * 40 + ["test"] * 20
    assert (images[12].name, images[-1].name) == ("train/000012.png", "test/000019.png")
    recorded = json.loads(loader.checksums.read_text())
    title = f"datasets/{NAME}@{revision}"
    assert set(recorded) == {title, f"{title}/README.md", f"{title}/{TRAIN}", f"{title}/{TEST}"}
    assert dataset.origin == {
        "source": "huggingface",
        "name": NAME,
        "revision": revision,
        "config": "default",
        "license": "cc0-1.0",
        "columns": {"image": "image", "label": "label"},
        "splits": {"train": 40, "test": 20},
        "files": [
            {"path": path, "size": len(files[path]), "sha256": recorded[f"{title}/{path}"], "split": split}
            for split, path in (("train", TRAIN), ("test", TEST))
        ],
    }


def test_each_file_is_fetched_once_and_then_read_without_a_hub(hub: LocalHub, loader: Loader) -> None:
    revision = hub.publish(NAME, make_noise())
    first = loader.load(revision)
    assert len(hub.data_requests()) == 2
    hub.requests.clear()
    again = loader.load(revision)
    assert not hub.requests
    hub.stop()
    offline = loader.load(revision)
    assert first.origin == again.origin == offline.origin
    assert read_images(first) == read_images(offline)


def test_the_library_reads_the_same(hub: LocalHub, loader: Loader, tmp_path: Path) -> None:
    revision = hub.publish(NAME, make_noise())
    code = f"""
import datasets
whole = datasets.load_dataset("{NAME}", revision="{revision}")
for split, rows in whole.items():
    for row in rows.cast_column("image", datasets.Image(decode=False)):
        print(split, row["label"], row["image"]["bytes"].hex())
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_UPDATE_DOWNLOAD_COUNTS": "0"}
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    images = read_images(loader.load(revision))
    assert done.stdout.splitlines() == [f"{image.subset} {image.label} {image.content.hex()}" for image in images]


def test_a_plan_fetches_no_data(hub: LocalHub, loader: Loader) -> None:
    files = make_noise()
    revision = hub.publish(NAME, files)
    plan = loader.plan(revision)
    assert not hub.data_requests()
    assert not loader.checksums.exists()
    assert (plan.config, plan.num_images) == ("default", 60)
    assert [(file.path, file.split, file.size, file.is_cached) for file in plan.files] == [
        (TRAIN, "train", len(files[TRAIN]), False),
        (TEST, "test", len(files[TEST]), False),
    ]
    loader.load(revision)
    assert all(file.is_cached for file in loader.plan(revision).files)
    with pytest.raises(PipelineError, match=r"data\.label_column"):
        loader.plan(revision, label_column="species")


def test_a_branch_is_resolved_to_its_commit(hub: LocalHub) -> None:
    old = hub.publish(NAME, {"README.md": b"old"})
    assert resolve_revision(NAME, "main") == old
    converted = hub.publish(NAME, make_noise(), branch="refs/convert/parquet")
    assert resolve_revision(NAME, "refs/convert/parquet") == converted
    with pytest.raises(PipelineError, match=f"no dataset {NAME} at revision develop"):
        resolve_revision(NAME, "develop")


def test_a_wrong_column_is_found_out_before_data_are_fetched(hub: LocalHub, loader: Loader) -> None:
    revision = hub.publish(NAME, make_noise())
    message = fail(loader, revision, image_column="photo")
    assert message == "params.yaml: data.image_column must name the column of images, one of image. Got photo."
    assert not hub.data_requests()


def test_columns_are_found_in_the_files_where_there_is_no_card(hub: LocalHub, loader: Loader) -> None:
    files = {path: content for path, content in make_noise().items() if path != "README.md"}
    dataset = loader.load(hub.publish(NAME, files))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.origin["license"] is None
    assert dataset.origin["splits"] == {"train": 40, "test": 20}


def test_several_configurations_must_be_told_apart(hub: LocalHub, loader: Loader) -> None:
    configs = {"small": {"train": make_rows(4, seed=0)}, "large": {"train": make_rows(8, seed=50)}}
    revision = hub.publish(NAME, make_files(configs, make_features()))
    expected = f"params.yaml: data.config must be one of the configurations of {NAME}: large, small."
    assert fail(loader, revision) == f"{expected} Got null."
    assert fail(loader, revision, "medium") == f"{expected} Got medium."
    dataset = loader.load(revision, "large")
    assert (dataset.num_images, dataset.origin["config"]) == (8, "large")
    assert [request.path.split("?")[0].split("/")[-2] for request in hub.data_requests()] == ["large"]


def test_the_only_split_is_no_subset(hub: LocalHub, loader: Loader) -> None:
    images = read_images(loader.load(publish_rows(hub, make_rows(6, seed=0))))
    assert [image.subset for image in images] == [""] * 6
    assert images[0].name == "train/000000.png"


@pytest.mark.parametrize(
    ("split", "subset"),
    [("valid", "validation"), ("dev", "validation"), ("test_hard", "test"), ("eval", "test"), ("extra", "train")],
)
def test_splits_become_subsets_by_a_word_of_their_name(hub: LocalHub, loader: Loader, split: str, subset: str) -> None:
    splits = {"train": make_rows(4, seed=0), split: make_rows(2, seed=50)}
    images = read_images(loader.load(hub.publish(NAME, make_files({"default": splits}, make_features()))))
    assert [image.subset for image in images] == ["train"] * 4 + [subset] * 2
    assert images[-1].name == f"{split}/000001.png"


def test_a_split_of_two_subsets_is_refused(hub: LocalHub, loader: Loader) -> None:
    splits = {"train": make_rows(4, seed=0), "val_test": make_rows(2, seed=50)}
    revision = hub.publish(NAME, make_files({"default": splits}, make_features()))
    assert "'val_test' of the dataset could be of the subsets validation or test" in fail(loader, revision)


def test_an_image_without_bytes_takes_the_place_of_an_error(hub: LocalHub, loader: Loader) -> None:
    rows = [*make_rows(2, seed=0), {"image": {"bytes": None, "path": "3.jpg"}, "label": 1}, {"image": None, "label": 0}]
    images = list(loader.load(publish_rows(hub, rows)).images)
    errors = [image for image in images if isinstance(image, BadImageError)]
    assert len(images) == 4
    assert [(error.name, error.reason) for error in errors] == [
        ("train/000002.jpg", f"{TRAIN} holds only its path"),
        ("train/000003", f"{TRAIN} holds nothing"),
    ]


def test_an_image_without_a_label_is_an_error(hub: LocalHub, loader: Loader) -> None:
    rows = [*make_rows(2, seed=0), {"image": {"bytes": make_image(9), "path": None}, "label": None}]
    message = fail(loader, publish_rows(hub, rows))
    assert f"{TRAIN}: row 2 of split train has no label in the column label" in message


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"noise.py": b"raise SystemExit", "data/train.parquet": b""}, "needs a script of its own"),
        ({"train/cat/1.png": b"", "train/dog/1.png": b""}, "holds no parquet file"),
        ({"default/partial-train/0000.parquet": b""}, "has converted but a part"),
        ({"data/a.csv": b"", "data/b.csv": b"", "data/c.parquet": b""}, "files of the kind csv, not parquet"),
    ],
)
def test_other_formats_are_refused(hub: LocalHub, loader: Loader, files: Mapping[str, bytes], reason: str) -> None:
    message = fail(loader, hub.publish(NAME, {**files, "README.md": b"# Noise\n"}))
    assert reason in message
    assert "refs/convert/parquet" in message or "part" in reason
    assert not hub.data_requests()


def test_the_conversion_of_the_hub_is_read(hub: LocalHub, loader: Loader) -> None:
    features = make_features()
    files = {
        f"{config}/{split}/0000.parquet": encode_parquet(make_rows(count, seed=count), features)
        for config, split, count in (("small", "train", 4), ("small", "test", 2), ("large", "train", 6))
    }
    revision = hub.publish(NAME, files, branch="refs/convert/parquet")
    assert "small" in fail(loader, revision)
    dataset = loader.load(revision, "small")
    assert dataset.origin["splits"] == {"train": 4, "test": 2}
    assert dataset.origin["config"] == "small"


def test_a_file_that_the_hub_does_not_state_is_refused(hub: LocalHub, loader: Loader) -> None:
    revision = hub.publish(NAME, make_noise())
    true = make_noise()[TRAIN]
    hub.served_instead[TRAIN] = true[:-1] + bytes([true[-1] ^ 1])
    assert f"{TRAIN} of the dataset {NAME} was changed on its way" in fail(loader, revision)
    del hub.served_instead[TRAIN]
    assert loader.load(revision).num_images == 60


def test_a_file_that_is_another_one_than_at_first_is_refused(hub: LocalHub, loader: Loader) -> None:
    revision = hub.publish(NAME, make_noise())
    title = f"datasets/{NAME}@{revision}/{TRAIN}"
    loader.checksums.write_text(json.dumps({title: "0" * 64}))
    message = fail(loader, revision)
    assert title in message
    assert "0" * 64 in message
    assert not hub.data_requests()


def test_no_token_is_kept_or_told(
    hub: LocalHub, loader: Loader, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    revision = hub.publish(NAME, make_noise(), access="gated")
    refused = fail(loader, revision)
    assert "refuses access" in refused
    assert "HF_TOKEN" in refused
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    assert "the token in HF_TOKEN gives no access" in fail(loader, revision)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.fail(TRAIN, 429)
    dataset = loader.load(revision)
    assert not any("authorization" in request.headers for request in hub.data_requests())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files) + json.dumps(dataset.origin).encode()
    told = written.decode("latin-1") + "".join(capfd.readouterr()) + refused
    for secret in (TOKEN, "hf_of_somebody_else", SIGNATURE):
        assert secret not in told


def run_alone(code: str, environment: Mapping[str, str]) -> str:
    """Run code that loads a dataset, with nothing of this process around it."""
    everything = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True, env=everything
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout + done.stderr


def test_a_run_says_a_line_for_each_file_and_leaves_the_home_alone(
    hub: LocalHub, loader: Loader, tmp_path: Path
) -> None:
    revision = hub.publish(NAME, make_noise(), access="private")
    home = tmp_path / "home"
    (home / ".cache" / "huggingface").mkdir(parents=True)
    stored = home / ".cache" / "huggingface" / "token"
    stored.write_text(TOKEN)
    code = f"""
from pathlib import Path
from fusionseq.checksums import Checksums
from fusionseq.console import run_checked
from fusionseq.datasets.huggingface import load_huggingface
def load():
    arguments = ({NAME!r}, {revision!r}, None, None, None, Path({str(loader.cache)!r}))
    print(load_huggingface(*arguments, Checksums(Path({str(loader.checksums)!r})), pause=0).num_images)
run_checked(load)
"""
    environment = {"HOME": str(home), "HF_ENDPOINT": hub.endpoint}
    assert run_alone(code, environment).startswith("error: 127.0.0.1 refuses access")
    lines = run_alone(code, {**environment, "HF_TOKEN": TOKEN}).splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines] == [
        f"download: {NAME}, README.md",
        f"download: {NAME}, {TRAIN}",
        f"download: {NAME}, {TEST}",
        "60",
    ]
    assert all(NAME in request.path for request in hub.requests), "nothing else is asked for"
    assert [path for path in home.rglob("*") if path.is_file()] == [stored]
    assert run_alone(code, {"HOME": str(home), "HF_HUB_OFFLINE": "1"}) == "60\n"
    another = code.replace(revision, "0" * 40)
    assert "HF_HUB_OFFLINE forbids to fetch it" in run_alone(another, {"HOME": str(home), "HF_HUB_OFFLINE": "1"})


def test_importing_the_module_imports_no_library() -> None:
    barred = ["datasets", "huggingface_hub", "pandas", "pyarrow", "tenacity"]
    code = f"import sys; sys.modules.update(dict.fromkeys({barred})); import fusionseq.datasets.huggingface"
    assert run_alone(code, {}) == ""
