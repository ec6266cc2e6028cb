"""A Ray cluster: started on this machine for as long as it is needed, or joined; its machines must agree with this one.

Ray is imported within functions: as it is imported, it reads from the environment what is put there first.
"""

import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fusionseq
from fusionseq.errors import PipelineError
from fusionseq.unfinished_work import describe_code

# Bytes of the object store of a cluster of our own: next to nothing goes through it.
_OBJECT_STORE = 100 * 2**20
# Seconds until a head counts as gone, and a machine as one that does not answer.
_HEAD_PATIENCE = 5.0
_NODE_PATIENCE = 120.0
# Seconds until a start counts as failed, of which Ray itself would wait for some part for ever.
_START_PATIENCE = 180.0
# Neither statistics over the network, nor a log of what Ray's own processes think, nor a cluster that nobody asked for:
# what still runs when one is left would start another.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    # Tries, and seconds of each: a head that does not answer in Ray's own way would take minutes.
    "RAY_NUM_REDIS_GET_RETRIES": "1",
    "RAY_py_gcs_connect_timeout_s": "5",
    # Records of every task, which would grow with the images.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_enable_metrics_collection": "0",
}
# What fusionseq sets for its process.
_HANDED_ON = ("NPY_DISABLE_CPU_FEATURES", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")


NOT_INSTALLED = (
    "runtime.engine is ray, but ray is not installed; run `make ray`, or set runtime.engine: local in params.yaml."
)


@dataclass(frozen=True)
class Cluster:
    """What a cluster has.

    Attributes
    ----------
    address
        Of its head; None where it is our own.
    cores
        Of each machine.
    num_gpus
        Of all machines.
    """

    address: str | None
    cores: Sequence[int]
    num_gpus: int

    def count_slots(self, cores: int) -> int:
        """Count the workers of some cores that fit."""
        return sum(of_machine // cores for of_machine in self.cores)

    def check_head(self) -> None:
        """Look whether the head is still there."""
        if self.address is not None and not _answers(self.address):
            raise PipelineError(
                f"the head of the Ray cluster at {self.address} is gone; start it and run this again: finished shards "
                "are kept."
            )


@contextmanager
def connecting(address: str | None, folder: Path, num_cpus: int) -> Iterator[Cluster]:
    """Join a cluster, or start one on this machine; at the end leave it, or stop all its processes.

    Parameters
    ----------
    address
        Of the head of a running cluster; None for one of our own.
    folder
        Which all machines must see; it is made.
    num_cpus
        Cores that a cluster of our own is to offer at least.

    Raises
    ------
    PipelineError
        There is no such cluster, or one of its machines sees another folder or would compute other bits.
    """
    os.environ.update(_SETTINGS)
    # What workers must have before they import anything. Those of a cluster of our own have it from this process: Ray
    # keeps spare ones, which it would not use where they are to have something else.
    handed_on = {name: os.environ[name] for name in _HANDED_ON} | {"PYTHONPATH": _find_source()}
    if address is None:
        os.environ |= handed_on
        # Whoever else is on this machine cannot use it.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ModuleNotFoundError as error:
        raise PipelineError(NOT_INSTALLED) from error

    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    # Sockets lie in it, whose paths Unix keeps to some hundred characters.
    own = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp")) if address is None else None
    try:
        if own:
            _join("local", options | _describe_own(own, max(num_cpus, len(os.sched_getaffinity(0)))))
        elif address and _answers(address):
            _join(address, options | {"runtime_env": {"env_vars": handed_on}})
        else:
            raise PipelineError(
                f"no Ray cluster answers at {address}; look at runtime.ray_address in params.yaml, and at `ray status` "
                "there."
            )
        nodes = [node for node in ray.nodes() if node["Alive"]]
        if not own:
            _check_nodes(nodes, folder)
        resources = [node["Resources"] for node in nodes]
        yield Cluster(
            address, [int(of.get("CPU", 0)) for of in resources], int(sum(of.get("GPU", 0) for of in resources))
        )
    finally:
        ray.shutdown()
        if own:
            shutil.rmtree(own, ignore_errors=True)


def _describe_own(folder: Path, cores: int) -> dict[str, Any]:
    return {
        "_temp_dir": str(folder),
        "_node_ip_address": "127.0.0.1",
        "num_cpus": cores,
        "object_store_memory": _OBJECT_STORE,
        "include_dashboard": False,
    }


def _find_source() -> str:
    """Folder that this package lies in, for workers whose machine has it in the same place."""
    return str(Path(fusionseq.__file__).parent.parent.resolve())


def _join(address: str, options: Mapping[str, Any]) -> None:
    import ray

    try:
        with _limiting(_START_PATIENCE):
            ray.init(address=address, **options)
    # Ray raises what it likes: ConnectionError, RuntimeError, ValueError, its own, and OSError of the disk.
    except Exception as error:
        reason = " ".join(str(error.__cause__ or error).split())
        where = "cannot be started here" if address == "local" else f"at {address} cannot be joined"
        raise PipelineError(f"the Ray cluster {where}: {_explain(reason)}") from error


@contextmanager
def _limiting(seconds: float) -> Iterator[None]:
    """Have a block of the main thread end with TimeoutError after some time; in another it takes what it takes."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"it takes more than {seconds:.0f} seconds")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _explain(reason: str) -> str:
    if "ersion mismatch" in reason:
        return f"its versions are not those of this machine; run `make ray` on all. {reason[:200]}"
    if "AuthenticationError" in reason or "InvalidAuthToken" in reason:
        return "its token is another one; RAY_AUTH_MODE=token and RAY_AUTH_TOKEN must be those of the head."
    if "Failed to connect to GCS" in reason:
        return "what answers there is no head of Ray; look at runtime.ray_address in params.yaml."
    return reason[:300]


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_HEAD_PATIENCE):
            return True
    # A port beyond 65535 is an OverflowError.
    except (OSError, OverflowError):
        return False


def _check_nodes(nodes: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Have each machine say what it computes with, and whether it sees a file that is written here."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    folder.mkdir(parents=True, exist_ok=True)
    nonce = folder / f"seen-{secrets.token_hex(8)}"
    nonce.touch()
    try:
        describe = ray.remote(num_cpus=0, max_retries=0)(_describe_node)
        here, looking = describe_code(), []
        for node in nodes:
            there_alone = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            looking.append(describe.options(scheduling_strategy=there_alone).remote(nonce))
        for node, reference in zip(nodes, looking, strict=True):
            name = node["NodeManagerAddress"]
            try:
                sees, there = ray.get(reference, timeout=_NODE_PATIENCE)
            except ray.exceptions.RayError as error:
                reason = " ".join(str(error).split())[-200:]
                raise PipelineError(
                    f"machine {name} of the Ray cluster cannot run this project: {reason}; it needs the same "
                    f"environment, and {_find_source()} as it is here."
                ) from error
            if not sees:
                raise PipelineError(
                    f"machine {name} of the Ray cluster does not see {folder.parent.parent}; put the project into a "
                    "folder that all machines share, under one path."
                )
            for package in sorted({*here, *there}):
                if here.get(package) != there.get(package):
                    raise PipelineError(
                        f"machine {name} of the Ray cluster has {package} {there.get(package, 'not at all')}, and this "
                        f"one {here.get(package, 'not at all')}; run `make ray` on all."
                    )
    finally:
        nonce.unlink()


def _describe_node(nonce: Path) -> tuple[bool, dict[str, str]]:
    return nonce.exists(), describe_code()
