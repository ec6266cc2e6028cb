"""Archives and checksums whose bytes depend on the names and contents of files alone."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping

from fusionseq.errors import PipelineError


def read_archive(content: bytes, prefix: str) -> dict[str, bytes]:
    """Read the files of a tar archive, by their names without the prefix.

    Raises
    ------
    PipelineError
        A name is that of a symbolic link, which could lead anywhere.
    """
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = member.name.removeprefix(prefix)
            if member.isdir():
                continue
            file = archive.extractfile(member) if member.isfile() else None
            if file is None:
                raise PipelineError(f"{name} is not a plain file; commit its content in its place.")
            files[name] = file.read()
    return files


def make_archive(files: Mapping[str, bytes], seconds: int) -> bytes:
    """Pack files as a tar archive, in the order of their names.

    Parameters
    ----------
    files
        Contents by name; names are of ASCII characters, and folders in them come of themselves.
    seconds
        Time of every file, since 1970.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            # Owner and group are 0 and have no names, and everyone may read it.
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(files[name]), seconds
            archive.addfile(member, io.BytesIO(files[name]))
    return buffer.getvalue()


def compress(content: bytes) -> bytes:
    """Compress as gzip does, without a name and a time."""
    buffer = io.BytesIO()
    # `gzip.compress` writes another header from one Python to the next.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def format_checksums(files: Mapping[str, bytes]) -> bytes:
    """List the SHA-256 of files as `sha256sum` does and its `--check` reads, in the order of their names."""
    return b"".join(_format_checksum(name, files[name]) for name in sorted(files))


def _format_checksum(name: str, content: bytes) -> bytes:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    # A backslash before the digest says that the name is escaped.
    mark = "" if escaped == name else "\\"
    return f"{mark}{hashlib.sha256(content).hexdigest()}  {escaped}\n".encode(errors="surrogateescape")


def list_names(checksums: bytes) -> list[str]:
    """List the names in what `format_checksums` wrote, as they are escaped there."""
    lines = checksums.decode(errors="surrogateescape").splitlines()
    return [line.partition("  ")[2] for line in lines]
