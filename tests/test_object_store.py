"""The S3 service of the tests, and what DVC remotes on S3 have of their own; the rest is in test_sharing.py."""

import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from object_store import PROGRAMS, ObjectStore
from programs import needs
from sharing_cases import Clone, copy_original, make_original

pytestmark = needs(*PROGRAMS)

# With what a person who has none of these, by mistake, asks for.
MISTAKES = {
    "wrong secret": {"AWS_SECRET_ACCESS_KEY": "wrong"},
    "unknown user": {"AWS_ACCESS_KEY_ID": "team:nobody"},
    "no keys": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    running = ObjectStore(tmp_path_factory.mktemp("a store") / "of objects")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_original(tmp_path_factory.mktemp("original") / "of")


def listens(store: ObjectStore) -> bool:
    try:
        socket.create_connection(("127.0.0.1", urlsplit(store.address).port or 0)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_objects_outlive_a_crash(store: ObjectStore) -> None:
    store.write("files/md5/00/kept", b"kept")
    store.write("files/md5/00/removed", b"removed")
    store.remove("files/md5/00/removed")
    store.stop()
    assert not listens(store)
    store.stop()  # again
    store.start()
    assert store.read("files/md5/00/kept") == b"kept"
    with pytest.raises(FileNotFoundError):
        store.read("files/md5/00/removed")


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_wrong_keys_are_one_line_and_change_nothing(
    original: Clone, store: ObjectStore, tmp_path: Path, mistake: Mapping[str, str]
) -> None:
    sender = copy_original(original, tmp_path / "sender", store)
    sender.environment |= mistake
    done = sender.run("fusionseq.share", store.url)
    assert done.status == 1
    assert re.fullmatch(rf"error: {store.url} cannot be reached or refuses; .* your keys\. Got .*\n", done.output)
    assert sender.git("status", "--short") == ""


def test_a_bucket_that_is_missing_is_one_line_and_is_not_made(
    original: Clone, store: ObjectStore, tmp_path: Path
) -> None:
    sender = copy_original(original, tmp_path / "sender", store)
    for _ in range(2):
        done = sender.run("fusionseq.share", "s3://missing-bucket/team")
        assert done.status == 1
        assert re.fullmatch(r"error: s3://missing-bucket/team .*bucket does not exist.*\n", done.output)
        assert sender.git("status", "--short") == ""
