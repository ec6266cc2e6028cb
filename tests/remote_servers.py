"""Real servers for DVC remotes, on loopback: what the cases of test_sharing.py run against."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from getpass import getuser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGKILL
from subprocess import Popen, run
from threading import Thread
from typing import Protocol

from programs import find_program


class RemoteServer(Protocol):
    """A place for a DVC remote. It is running when a test gets it.

    Attributes
    ----------
    url
        What `dvc remote add` takes: a folder of its own on the server.
    settings
        Of `dvc remote modify --local NAME key value`, secrets among them.
    environment
        For the commands of DVC, such as AWS_ENDPOINT_URL.
    """

    url: str
    settings: Mapping[str, str]
    environment: Mapping[str, str]

    def start(self) -> None:
        """Start it again after `stop`, with what it holds and at the same address."""

    def stop(self) -> None:
        """Stop it at once, as a crash does: open connections break."""

    def read(self, name: str) -> bytes:
        """Read an object by its path below the address, such as "files/md5/ab/cdef"; FileNotFoundError without it."""

    def write(self, name: str, content: bytes) -> None:
        """Write an object, behind the back of the server where that can be."""

    def remove(self, name: str) -> None:
        """Remove an object."""


class _Folder:
    """Objects of a remote that lie in a folder of this machine, whatever server is before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # DVC leaves its objects read-only.
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()


class FolderServer(_Folder):
    """A shared folder. While it is gone, a file is in its place, which nobody can enter."""

    settings: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir()
        self.url = str(folder)
        self._away = folder.with_name(f"{folder.name}, away")

    def start(self) -> None:
        self.folder.unlink()
        self._away.rename(self.folder)

    def stop(self) -> None:
        self.folder.rename(self._away)
        self.folder.touch()


class SshServer(_Folder):
    """OpenSSH on a high port of loopback, with its own host key, configuration, and a key for the one who runs it.

    The port is this process's own, which starts one sshd for each connection: none outlives it.
    """

    environment: Mapping[str, str] = {}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "remote")
        self.folder.mkdir(parents=True)
        self._program = find_program("sshd") or "sshd"
        self._log = folder / "sshd.log"
        self._configuration = folder / "sshd_config"
        for name, passphrase in (("host_key", ""), ("user_key", ""), ("foreign_key", ""), ("encrypted_key", "secret")):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(folder / name)]
            run(command, check=True)
        # Two that it does not let in.
        self.foreign_key, self.encrypted_key = folder / "foreign_key", folder / "encrypted_key"
        self._configuration.write_text(
            f'HostKey "{folder}/host_key"\nAuthorizedKeysFile "{folder}/user_key.pub"\n'
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\nUsePAM no\n"
            "PermitUserRC no\nSubsystem sftp internal-sftp\n"
        )
        if os.geteuid() == 0:
            # Root's sshd does not start without this folder, which the service of the machine makes otherwise.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._sessions: list[Popen[bytes]] = []
        self._port = 0
        self.start()
        self.settings: Mapping[str, str] = {"keyfile": str(folder / "user_key")}
        self.url = f"ssh://{getuser()}@127.0.0.1:{self._port}{self.folder}"

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._thread.start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # it was closed
                return
            command = [self._program, "-i", "-f", str(self._configuration), "-E", str(self._log)]
            with connection:
                self._sessions.append(
                    Popen(command, stdin=connection.fileno(), stdout=connection.fileno(), start_new_session=True)
                )

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for session in self._sessions:
            with suppress(ProcessLookupError):
                os.killpg(session.pid, SIGKILL)
            session.wait()
        self._sessions.clear()


class HttpServer(_Folder):
    """The files of a folder over HTTP, to read and not to write."""

    settings: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        handler = partial(_QuietHandler, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
