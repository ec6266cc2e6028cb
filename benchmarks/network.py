"""A network that is no faster than others, on one machine."""

import ctypes
import os
import subprocess

# Of linux/sched.h.
_CLONE_NEWNET = 0x40000000


def limit_network(rate: int) -> None:
    """Put this process, and whatever it starts from here on, into a network of its own, in which only loopback is.

    Parameters
    ----------
    rate
        Bits a second that pass through it.

    Raises
    ------
    SystemExit
        It takes root, and Linux.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise SystemExit(f"error: no network of its own to limit: {os.strerror(ctypes.get_errno())}; run it as root.")
    for command in (
        ("ip", "link", "set", "lo", "up"),
        ("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", f"{rate}bit", "burst", "1mb", "latency", "100ms"),
    ):
        subprocess.run(command, check=True)
