"""The rules of the project's layout, held against the code."""

import ast
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusionseq.params import read_params

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "fusionseq"
STAGE_FILES = sorted(path for path in (PACKAGE / "stages").glob("*.py") if path.stem != "__init__")
STAGES = [path.stem for path in STAGE_FILES]
MODULES = sorted(PACKAGE.rglob("*.py"))

# The shell decides no result, so that its edits rerun nothing.
FREE_OF_RESULTS = {"console", "device_lock", "errors", "params", "paths", "sections"}
FOLDER_DEPENDENCIES = {"datasets", "models", "plotting"}
# Who computes decides no byte, so that another choice reruns nothing.
FREE_PARAMETERS = {"runtime.engine", "runtime.ray_address"}
GPU_STAGES = {"backbones", "features", "train_fusion", "train_sequential", "train_controls"}

WITHOUT_KERAS = ["fetch", "split", "preprocess", "figures", "paper"]
START_LIMIT_S = 1.5
# What takes long to import, and which stages import it as they start.
SLOW_LIBRARIES = {"PIL", "jinja2", "keras", "matplotlib", "sklearn", "statsmodels"}
USED_LIBRARIES = {
    "fetch": {"PIL"},
    "backbones": {"keras"},
    "split": set(),
    "preprocess": {"PIL"},
    "features": {"keras"},
    "train_fusion": {"keras"},
    "train_sequential": {"keras"},
    "train_controls": {"keras"},
    "evaluate": {"keras", "sklearn", "statsmodels"},
    "figures": {"PIL", "matplotlib"},
    "paper": {"jinja2"},
}


@cache
def pipeline() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8")))


def module_path(dotted: str) -> Path | None:
    path = SOURCE / Path(*dotted.split("."))
    if path.is_dir():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


@cache
def imported_names(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


@cache
def imported_modules(path: Path) -> frozenset[Path]:
    modules = {module_path(name) for name in imported_names(path) if name.startswith("fusionseq.")}
    return frozenset(module for module in modules if module is not None)


def closure(start: Path, without: frozenset[str] = frozenset()) -> set[Path]:
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen and not (path.parent == PACKAGE and path.stem in without):
            seen.add(path)
            waiting.extend(imported_modules(path))
    return seen


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def plain_entries(entries: list[str | dict[str, Any]]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_a_stage_is_a_module_is_a_function_is_a_test() -> None:
    tests = ast.parse((ROOT / "tests" / "test_stages.py").read_text(encoding="utf-8"))
    tested = {node.name for node in tests.body if isinstance(node, ast.FunctionDef)}
    assert set(pipeline()["stages"]) == set(STAGES)
    for path in STAGE_FILES:
        functions = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert functions == [path.stem]
        assert f"test_{path.stem}" in tested


def test_every_module_has_a_test() -> None:
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    modules = {path.stem for path in MODULES if path.parent.name != "stages" and path.stem != "__init__"}
    elsewhere = {"revisions", "sections"}
    assert modules - tested == {"errors", *elsewhere}, "errors holds nothing that could break"


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_cover_every_imported_module(stage: str) -> None:
    declared = plain_entries(pipeline()["stages"][stage]["deps"])
    needed = set()
    for path in closure(PACKAGE / "stages" / f"{stage}.py", frozenset(FREE_OF_RESULTS)):
        package = path.relative_to(PACKAGE).parts[0]
        needed.add(relative(PACKAGE / package) if package in FOLDER_DEPENDENCIES else relative(path))
    code = {entry for entry in declared if entry.split("/")[0] == "src"}
    # The paper prints a digest of all code, so it depends on all of it.
    assert code == ({"src"} if stage == "paper" else needed)
    assert declared == sorted(declared)


def test_dependencies_of_the_pretraining_cover_every_imported_module() -> None:
    entry = yaml.safe_load((ROOT / "pretraining" / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["pretrain"]
    needed = closure(ROOT / "pretraining" / "pretrain.py", frozenset(FREE_OF_RESULTS))
    declared = {(ROOT / "pretraining" / name).resolve() for name in entry["deps"]}
    assert declared == {path for path in needed if path.name != "__init__.py"}


def read_chains(path: Path) -> set[str]:
    """Dotted names below `params` that a stage reads, the longest of each chain."""
    chains: set[str] = set()

    def visit(node: ast.AST) -> None:
        names: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            names.append(inner.attr)
            inner = inner.value
        if names and isinstance(inner, ast.Name) and inner.id == "params":
            chains.add(".".join(reversed(names)))
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return chains


@pytest.mark.parametrize("path", STAGE_FILES, ids=STAGES)
def test_parameters_read_are_parameters_declared(path: Path) -> None:
    stage = pipeline()["stages"][path.stem]
    if "params.yaml" in plain_entries(stage["deps"]):
        return
    declared = set(stage.get("params", []))
    read = read_chains(path) - FREE_PARAMETERS

    def within(inner: str, outer: str) -> bool:
        return inner == outer or inner.startswith(f"{outer}.")

    for free in FREE_PARAMETERS:
        assert not any(within(free, key) for key in declared), f"{free} would rerun {path.stem}"
    for chain in read:
        # A stage may read a whole mapping of which it needs, and declares, one key.
        assert any(within(chain, key) or within(key, chain) for key in declared), f"{chain} is read but not declared"
    for key in declared:
        assert any(within(chain, key) or within(key, chain) for chain in read), f"{key} is declared but not read"


def test_imports_run_one_way() -> None:
    shell = {
        "artifacts", "catalog", "console", "device_lock", "errors", "model_catalog", "params", "paths", "runtime",
        "sections", "shard_files", "training_sections",
    }  # fmt: skip
    for path in MODULES:
        names = {relative(module).removeprefix("src/fusionseq/") for module in imported_modules(path)}
        layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if layer != "stages":
            assert not any(name.startswith("stages/") for name in names), path
        if layer in shell:
            assert {name.removesuffix(".py") for name in names} <= shell, path
        if layer == "models":
            assert {name.split("/")[0].removesuffix(".py") for name in names} <= shell | {"models"}, path
        if layer == "plotting":
            assert {name.split("/")[0].removesuffix(".py") for name in names} <= shell | {"plotting"}, path


def test_tensorflow_appears_only_where_it_must() -> None:
    users = {path.stem for path in MODULES if any(name.split(".")[0] == "tensorflow" for name in imported_names(path))}
    assert users == {"exporting", "probes", "runtime", "streaming"}


def test_ray_appears_only_within_functions_of_two_modules() -> None:
    def is_ray(node: ast.AST) -> bool:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        return any(name.split(".")[0] == "ray" for name in names)

    users = set()
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        within = {inner for function in functions for inner in ast.walk(function) if is_ray(inner)}
        everywhere = {node for node in ast.walk(tree) if is_ray(node)}
        assert everywhere == within, path
        users |= {path.stem} if everywhere else set()
    assert users == {"ray_cluster", "ray_engine"}


def test_library_modules_see_neither_paths_nor_the_parameters_file() -> None:
    files_and_commands = {
        "artifacts", "asking", "checkout", "checksums", "commits", "compare", "console", "decode_shards",
        "device_lock", "doctor", "downloads", "dvc_command", "engines", "export", "export_folder", "exporting",
        "extract_shards", "feature_files", "glyphs", "hub", "huggingface", "image_files", "imagefolder", "layout",
        "live", "locked_outputs", "locked_stages", "machine", "model_files", "named_inputs", "opening", "params",
        "parquet", "partial_files", "paths", "plan", "plots_page", "predict", "preflight", "pretrained", "probes",
        "processed_images", "profile", "provenance", "pull", "raw_images", "ray_cluster", "ray_engine", "release",
        "remote_objects", "remotes", "report", "repository", "rerunning", "resuming", "revisions", "saving",
        "shard_files", "share", "staleness", "standalone", "tidy", "tolerance", "transfer", "trusted_files",
        "typesetting", "unfinished_work", "variance", "verify", "weight_files",
    }  # fmt: skip
    for path in MODULES:
        if path.parent.name != "stages" and path.stem not in files_and_commands:
            names = imported_names(path)
            assert not {"pathlib", "os.path", "fusionseq.paths", "fusionseq.params.read_params"} & names, path


@pytest.mark.parametrize("stage", WITHOUT_KERAS)
def test_light_stages_do_not_import_keras(stage: str) -> None:
    heavy = {"tensorflow", "keras", "statsmodels"}
    code = f"import sys, fusionseq.stages.{stage}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE)}
    )
    assert done.stdout.strip() == "[]"


def run_python(code: str) -> str:
    environment = {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("stage", WITHOUT_KERAS)
def test_stages_without_keras_start_in_a_moment(stage: str) -> None:
    # The processor's time, of which others on the machine take nothing.
    code = f"import time, fusionseq.stages.{stage}; print(time.process_time())"
    assert min(float(run_python(code)) for _ in range(3)) < START_LIMIT_S


@pytest.mark.parametrize("stage", STAGES)
def test_stages_import_only_what_they_use(stage: str) -> None:
    # Not looked for among what was imported: Keras takes whatever is installed. It does without what is barred.
    # Ray needs not be installed.
    barred = sorted({*SLOW_LIBRARIES, "ray"} - USED_LIBRARIES[stage])
    run_python(f"import sys; sys.modules.update(dict.fromkeys({barred})); import fusionseq.stages.{stage}")


@pytest.mark.parametrize("stage", STAGES)
def test_stage_entries_are_complete(stage: str) -> None:
    entry = pipeline()["stages"][stage]
    assert entry["desc"]
    assert entry["cmd"].startswith(f"PYTHONPATH=src python -m fusionseq.stages.{stage}")
    uncached = [out for out in entry["outs"] if isinstance(out, dict)]
    # One output outside the cache switches the run cache off for the stage.
    assert not (stage in GPU_STAGES and uncached)
    source = (PACKAGE / "stages" / f"{stage}.py").read_text(encoding="utf-8")
    assert "Source: the source paper" in (ast.get_docstring(ast.parse(source)) or "")
    assert len(source.splitlines()) <= 70, "a stage reads, calls, writes"


def test_modules_stay_short_and_well_named() -> None:
    for path in MODULES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 250, path
        assert path.stem not in {"utils", "helpers", "common"}


def test_lock_holds_exactly_the_stages_of_the_pipeline() -> None:
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    expected = set()
    for name, entry in pipeline()["stages"].items():
        # DVC joins the items of a matrix by hyphens.
        lists = (map(str, params[items.strip("${}")]) for items in entry.get("matrix", {}).values())
        expected |= {f"{name}@{'-'.join(items)}" if items else name for items in product(*lists)}
    assert set(lock["stages"]) == expected, "run `make reproduce`, which removes what is left of other seeds"


def test_no_model_of_another_name_or_seed_is_left() -> None:
    params = read_params(ROOT / "params.yaml")
    known = {f"{model}/{seed}" for model in params.models for seed in params.seeds}
    models = ROOT / "data" / "models"
    left = {path.relative_to(models).as_posix() for path in models.glob("*/*")} - known
    assert not left, "run `make reproduce`, which removes them"


def test_requirements_hold_no_address() -> None:
    for path in ROOT.glob("requirements*.txt"):
        content = path.read_text(encoding="utf-8")
        assert "://" not in content
        assert "--hash=sha256:" in content
