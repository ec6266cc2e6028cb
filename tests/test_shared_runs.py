"""Machines that share a remote train one item each, by the commands of profiles/README.md, and one gathers them all."""

import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any

import pytest
import yaml
from conftest import DEFAULT
from programs import needs
from remote_servers import SshServer
from sharing_cases import ROOT, Clone, damaged

pytestmark = needs("sshd", "ssh-keygen")

_README = (ROOT / "profiles" / "README.md").read_text(encoding="utf-8")
_SECTION = _README.split("\n## Past one machine: many runs\n")[1].split("\n## ")[0]
(SCRIPT,) = re.findall(r"^```bash\n(.*?)^```", _SECTION, re.MULTILINE | re.DOTALL)
PREPARE, GATHER = (block.splitlines() for block in re.findall(r"(?:^    .+\n)+", _SECTION, re.MULTILINE))
# What a task does in its clone.
TRAIN = SCRIPT.partition('cd "$clone"\n')[2].splitlines()

SEEDS = [0, 7]
ITEMS = [f"train_fusion@{seed}" for seed in SEEDS]
BEFORE = ["fetch", "backbones", "preprocess", "split", "features"]

# In place of every command. What it makes tells on which machine, so that no two make the same bytes.
_STAND_IN = """
echo "$DVC_STAGE" >>~/ran.txt
for out; do
    mkdir -p "$out/mobilenetv2" "$out/vgg16"
    echo "$DVC_STAGE in $HOME" | tee "$out/mobilenetv2/made" >"$out/vgg16/made"
done
"""


class Machine(Clone):
    """A machine of the team. Its home has a key for the server, and a trace of what ran."""

    def __init__(self, folder: Path, server: SshServer) -> None:
        super().__init__(folder, server)
        self.home, self.scratch = folder / "home", folder / "scratch"
        self.scratch.mkdir()
        (self.home / ".ssh").mkdir(mode=0o700)
        shutil.copy(server.settings["keyfile"], self.home / ".ssh" / "id_ed25519")

    def take(self, origin: Clone) -> None:
        """Clone a repository."""
        origin.git("clone", "--quiet", str(origin.root), str(self.root))

    def follow(self, lines: list[str]) -> None:
        """Run commands of Git and DVC."""
        for program, *arguments in map(shlex.split, lines):
            {"dvc": self.dvc, "git": self.git}[program](*arguments)

    def train(self, item: str) -> None:
        self.follow([line.replace("$item", item) for line in TRAIN])

    def start_task(self, submitted: Clone, stage: str, number: int) -> Popen[str]:
        """Start a task of a SLURM array as `sbatch seeds.sh STAGE` does."""
        variables = {
            "SLURM_SUBMIT_DIR": str(submitted.root),
            "SLURM_ARRAY_TASK_ID": str(number),
            "TMPDIR": str(self.scratch),
        }
        command = ["bash", "-c", SCRIPT, "seeds.sh", stage]
        environment = self.environment | variables
        return Popen(command, cwd=submitted.root, env=environment, stdout=PIPE, stderr=STDOUT, text=True)

    @property
    def ran(self) -> list[str]:
        path = self.home / "ran.txt"
        return path.read_text().split() if path.exists() else []

    def read_models(self) -> list[str]:
        """Read what the training of each seed has made."""
        return [(self.root / f"data/models/fusion/{seed}/vgg16/made").read_text() for seed in SEEDS]

    def read_lock(self) -> dict[str, Any]:
        """Read the stages of dvc.lock."""
        stages: dict[str, Any] = yaml.safe_load((self.root / "dvc.lock").read_text())["stages"]
        return stages


def write_pipeline(root: Path) -> None:
    """Write stages of dvc.yaml, which depend on each other as there and take no time."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    kept = {name: stages[name] for name in (*BEFORE, "train_fusion", "train_controls", "evaluate")}
    for stage in kept.values():
        outs = [path for out in stage["outs"] for path in ([out] if isinstance(out, str) else out)]
        stage["cmd"] = f"bash stand_in.sh {' '.join(outs)}"
        stage["deps"] = ["stand_in.sh", *(path for path in stage["deps"] if path.startswith("data/"))]
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": kept}))
    (root / "stand_in.sh").write_text(_STAND_IN)


def write_params(root: Path, **edits: object) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump(DEFAULT | edits))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    running = SshServer(tmp_path_factory.mktemp("server") / "remote")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def origin(server: SshServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Where the seeds were committed, after what every training starts from."""
    origin = Machine(tmp_path_factory.mktemp("origin") / "of", server)
    origin.root.mkdir()
    origin.git("init", "--quiet", "--initial-branch", "main")
    for key, value in (("user.name", "A"), ("user.email", "a@example.org"), ("commit.gpgsign", "false")):
        origin.git("config", key, value)
    origin.dvc("init", "--quiet")
    shutil.copy(ROOT / ".dvc" / "config", origin.root / ".dvc" / "config")
    origin.dvc("remote", "add", "--quiet", "--force", "--default", "team", server.url)
    write_pipeline(origin.root)
    write_params(origin.root, seeds=SEEDS[:1], controls=[])
    origin.commit("Begin")
    write_params(origin.root, seeds=SEEDS, controls=[])
    origin.follow(PREPARE)
    assert sorted(origin.ran) == sorted(BEFORE)
    return origin


@pytest.fixture(scope="module")
def team(origin: Machine, server: SshServer, tmp_path_factory: pytest.TempPathFactory) -> list[Machine]:
    """One machine for each seed, after its task. The tasks ran at the same time."""
    machines = [Machine(tmp_path_factory.mktemp("task") / "of", server) for _ in SEEDS]
    tasks = [machine.start_task(origin, "train_fusion@", seed) for machine, seed in zip(machines, SEEDS, strict=True)]
    for task in tasks:
        output, _ = task.communicate(timeout=120)
        assert task.returncode == 0, output
    return machines


@pytest.fixture
def machine(origin: Machine, server: SshServer, tmp_path: Path) -> Machine:
    """A further machine, with a clone of its own."""
    machine = Machine(tmp_path / "machine", server)
    machine.take(origin)
    return machine


def list_made(team: list[Machine]) -> list[str]:
    return [f"{item} in {machine.home}\n" for item, machine in zip(ITEMS, team, strict=True)]


def test_a_task_trains_its_item_and_leaves_only_what_it_sent(origin: Machine, team: list[Machine]) -> None:
    assert [machine.ran for machine in team] == [[item] for item in ITEMS]
    assert not any(path for machine in team for path in machine.scratch.iterdir())
    assert origin.git("status", "--short") == ""
    assert origin.git("rev-list", "--count", "--all") == "2\n"


def test_all_items_are_gathered_without_training(team: list[Machine], machine: Machine) -> None:
    machine.follow(GATHER)
    assert machine.ran == ["evaluate"]
    assert machine.read_models() == list_made(team)
    assert machine.read_lock().keys() == {*BEFORE, *ITEMS, "evaluate"}
    assert "up to date" in machine.dvc("status")


def test_an_item_whose_task_was_killed_while_it_sent_is_trained_alone(
    team: list[Machine], server: SshServer, machine: Machine
) -> None:
    # A task sends its entry of the run cache first, then the files, and last the list of them.
    _, lists = find_sent(server, "data/models/fusion/7")
    with without(server, lists):
        machine.follow(GATHER)
    assert machine.ran == ["train_fusion@7", "evaluate"]
    assert machine.read_models() == [list_made(team)[0], f"train_fusion@7 in {machine.home}\n"]


def find_sent(server: SshServer, folder: str) -> tuple[list[str], list[str]]:
    """Find the entries of the run cache that made a folder on the server, and the lists of files that they name."""
    files = (path for path in (server.folder / "runs").rglob("*") if path.is_file())
    entries = [path for path in files if folder in path.read_text()]
    outs = (out for entry in entries for out in yaml.safe_load(entry.read_text())["outs"])
    return [path.relative_to(server.folder).as_posix() for path in entries], [name_object(out) for out in outs]


def name_object(out: dict[str, str]) -> str:
    return f"files/md5/{out['md5'][:2]}/{out['md5'][2:]}"


@contextmanager
def without(server: SshServer, names: list[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(damaged(server, name, None))
        yield


def test_an_item_that_was_trained_with_other_code_alone_is_trained_again(
    origin: Machine, team: list[Machine], machine: Machine, server: SshServer, tmp_path: Path
) -> None:
    entries, lists = find_sent(server, "data/models/fusion/7")
    with without(server, [*entries, *lists]):
        (machine.root / "stand_in.sh").write_text(f"{_STAND_IN}# another\n")
        machine.train("train_fusion@7")
        assert machine.ran == ["train_fusion@7"]
        gatherer = Machine(tmp_path / "gatherer", server)
        gatherer.take(origin)
        gatherer.follow(GATHER)
    assert gatherer.ran == ["train_fusion@7", "evaluate"]
    assert gatherer.read_models() == [list_made(team)[0], f"train_fusion@7 in {gatherer.home}\n"]


def test_an_edit_of_what_comes_before_is_seen_only_at_the_end(team: list[Machine], machine: Machine) -> None:
    # A control concerns the features.
    write_params(machine.root, seeds=[*SEEDS, 8], controls=["vgg16"])
    machine.train("train_controls@vgg16-8")
    assert machine.ran == ["train_controls@vgg16-8"]
    machine.follow(GATHER)
    controls = [f"train_controls@vgg16-{seed}" for seed in (*SEEDS, 8)]
    assert sorted(machine.ran[1:]) == sorted(["features", *ITEMS, "train_fusion@8", *controls, "evaluate"])


def test_a_seed_that_was_not_committed_is_told(machine: Machine) -> None:
    done = machine.run("dvc", *shlex.split(TRAIN[0].replace("$item", "train_fusion@8"))[1:])
    assert done.status != 0
    assert "Stage 'train_fusion@8' not found" in done.output


def test_what_the_remote_lacks_of_what_comes_before_is_told(server: SshServer, machine: Machine) -> None:
    with damaged(server, name_object(machine.read_lock()["features"]["outs"][0]), None):
        done = machine.run("dvc", *shlex.split(TRAIN[0].replace("$item", "train_fusion@7"))[1:])
    assert done.status != 0
    assert "Checkout failed for following targets:\ndata/features\n" in done.output
    assert machine.ran == []
