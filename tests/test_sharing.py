"""Results travel between clones through real servers: complete, or not at all.

A server is another case as soon as SERVERS has it.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from object_store import PROGRAMS, ObjectStore
from programs import needs
from remote_servers import FolderServer, HttpServer, RemoteServer, SshServer
from sharing_cases import (
    Clone,
    clone,
    copy_original,
    damaged,
    enlarge,
    find_list,
    find_object,
    hold_nothing_wrong,
    make_original,
    stop_once_there,
)

SERVERS = [
    pytest.param(FolderServer, id="folder"),
    pytest.param(SshServer, id="ssh", marks=needs("sshd", "ssh-keygen")),
    pytest.param(ObjectStore, id="s3", marks=needs(*PROGRAMS)),
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_original(tmp_path_factory.mktemp("original") / "of")


@pytest.fixture(scope="module")
def large(original: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    copied = copy_original(original, tmp_path_factory.mktemp("large") / "of")
    enlarge(copied)
    return copied


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteServer]:
    make: Callable[[Path], RemoteServer] = request.param
    running = make(tmp_path_factory.mktemp("server") / "remote")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shared(original: Clone, server: RemoteServer, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The original, all of whose results the server has. Leave both as they are."""
    copied = copy_original(original, tmp_path_factory.mktemp("shared") / "of", server)
    done = copied.run("fusionseq.share", server.url)
    assert done.status == 0, done.output
    assert f"share: {server.url} holds all 6 objects, 0.0 MB" in done.output
    copied.commit("Share")
    return copied


@pytest.fixture
def colleague(shared: Clone, server: RemoteServer, tmp_path: Path) -> Clone:
    return clone(shared, tmp_path / "colleague", server)


def test_a_colleague_has_everything_and_dvc_nothing_to_do(shared: Clone, colleague: Clone) -> None:
    colleague.dvc("pull")
    assert colleague.read_data() == shared.read_data()
    assert "Data and pipelines are up to date" in colleague.dvc("repro")
    assert "are in sync" in colleague.dvc("status", "--cloud")
    assert colleague.num_runs == 0
    assert colleague.git("status", "--short") == ""


def test_a_stage_is_restored_from_the_shared_run_cache(shared: Clone, colleague: Clone) -> None:
    colleague.dvc("pull", "--run-cache")
    for path in (colleague.root / "dvc.lock", *(colleague.root / name for name in colleague.read_data())):
        path.unlink()
    assert "Stage 'make' is cached - skipping run" in colleague.dvc("repro")
    assert colleague.num_runs == 0
    assert colleague.read_data() == shared.read_data()


def test_status_tells_what_is_not_there_yet(shared: Clone, colleague: Clone, server: RemoteServer) -> None:
    colleague.dvc("pull")
    (colleague.root / "single").write_text("another")
    colleague.dvc("repro", "--quiet")
    assert re.search(r"new: +data/single", colleague.dvc("status", "--cloud"))


def test_a_damaged_object_is_never_taken_for_the_real_one(
    shared: Clone, colleague: Clone, server: RemoteServer
) -> None:
    name = find_object(shared, "part 1")
    with damaged(server, name, b"P" + server.read(name)[1:]):
        done = colleague.run("dvc", "pull")
        assert done.status != 0
        assert "data/parts" in done.output
        hold_nothing_wrong(colleague, shared)
        done = colleague.run("fusionseq.pull")
        assert (done.status, done.last_line) == (
            1,
            f"error: not everything came from {server.url}; DVC's own message "
            "stands above. `make share` where these results were made sends "
            "what is missing, and with --check what is damaged.",
        )
        hold_nothing_wrong(colleague, shared)
        # DVC itself never sends an object again.
        assert "Everything is up to date" in shared.dvc("push")
        done = shared.run("fusionseq.share", server.url, "--check")
        assert done.status == 0
        assert f"share: {name} has other bytes there; it is sent again" in done.output
        assert server.read(name) == shared.list_objects()[name]
        done = colleague.run("fusionseq.pull")
        assert (done.status, done.last_line) == (0, "pull: all 2 outputs are as dvc.lock has them")
        assert colleague.read_data() == shared.read_data()


@pytest.mark.parametrize("relpath", ["9.txt", "../../../outside.txt"])
def test_a_damaged_list_leads_no_file_astray(
    shared: Clone, colleague: Clone, server: RemoteServer, relpath: str
) -> None:
    name = find_list(shared)
    with damaged(server, name, server.read(name).replace(b"1.txt", relpath.encode())):
        done = colleague.run("fusionseq.pull")
        assert done.status == 1
        assert done.output == (
            f"error: {server.url} holds a damaged {name}, of which nothing was fetched; `make share` where these "
            f"results were made mends it.\n"
        )
        assert colleague.read_data() == colleague.list_objects() == {}
        assert not (colleague.folder / "outside.txt").exists()


def test_sharing_again_mends_a_damaged_list_and_a_missing_object(
    shared: Clone, colleague: Clone, server: RemoteServer
) -> None:
    missing, wrong = find_object(shared, "part 2"), find_list(shared)
    with damaged(server, wrong, server.read(wrong).replace(b"1.txt", b"9.txt")), damaged(server, missing, None):
        done = shared.run("fusionseq.share", server.url)
        assert done.status == 0
        assert f"share: {missing} is missing there; it is sent again" in done.output
        assert f"share: {wrong} has other bytes there; it is sent again" in done.output
        assert {name: server.read(name) for name in (missing, wrong)}.items() <= shared.list_objects().items()


def test_a_missing_object_is_told(shared: Clone, colleague: Clone, server: RemoteServer) -> None:
    name = find_object(shared, "part 2")
    with damaged(server, name, None):
        done = colleague.run("dvc", "pull")
        assert done.status != 0
        assert name.removeprefix("files/md5/").replace("/", "") in done.output
        hold_nothing_wrong(colleague, shared)


def test_a_list_that_is_missing_is_told(shared: Clone, colleague: Clone, server: RemoteServer) -> None:
    name = find_list(shared)
    with damaged(server, name, None):
        done = colleague.run("fusionseq.pull")
        assert (done.status, done.output) == (
            1,
            f"error: {server.url} lacks {name}; `make share` where these results were made sends it.\n",
        )


def test_a_server_that_is_not_there_is_one_line(shared: Clone, colleague: Clone, server: RemoteServer) -> None:
    server.stop()
    try:
        for cloned, command in ((shared, ("fusionseq.share", server.url)), (colleague, ("fusionseq.pull",))):
            done = cloned.run(*command)
            assert done.status == 1
            assert re.fullmatch(rf"error: {re.escape(server.url)} cannot be .*\n", done.output), done.output
            assert cloned.git("status", "--short") == ""
        assert colleague.run("dvc", "pull").status != 0
        hold_nothing_wrong(colleague, shared)
    finally:
        server.start()


def test_a_server_gone_in_the_middle_of_sharing(
    large: Clone, server: RemoteServer, shared: Clone, tmp_path: Path
) -> None:
    sender = copy_original(large, tmp_path / "sender", server)
    (big,) = sender.list_objects().keys() - shared.list_objects().keys() - set(sender.runs)
    before = sender.configuration
    # The parts of a folder are sent first, then the list of them, then all other files.
    first = find_object(shared, "part 1")
    for name in (first, find_list(shared)):
        server.remove(name)
    command = sender.start("fusionseq.share", server.url)
    stop_once_there(server, first, command)
    done = command.wait()
    server.start()
    assert done.status == 1
    assert done.last_line == (
        f"error: not everything has arrived at {server.url}; DVC's own message stands above. .dvc/config is as before, "
        f"and the same command goes on where this one stopped."
    )
    assert sender.configuration == before
    with pytest.raises(FileNotFoundError):
        server.read(big)
    done = sender.run("fusionseq.share", server.url)
    assert done.status == 0, done.output
    for name, content in sender.list_objects().items():
        assert server.read(name) == content


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    running = SshServer(tmp_path_factory.mktemp("ssh") / "remote")
    yield running
    running.stop()


@needs("sshd", "ssh-keygen")
@pytest.mark.parametrize("key", ["foreign", "missing", "encrypted"])
def test_a_wrong_key_is_one_line_and_changes_nothing(original: Clone, ssh: SshServer, tmp_path: Path, key: str) -> None:
    sender = copy_original(original, tmp_path / "sender", ssh)
    files = {"foreign": ssh.foreign_key, "encrypted": ssh.encrypted_key, "missing": tmp_path / "missing"}
    sender.configure({"url": ssh.url, "keyfile": str(files[key])})
    done = sender.run("fusionseq.share", ssh.url)
    assert done.status == 1
    assert re.fullmatch(rf"error: {ssh.url} cannot be reached or refuses; look at .* your keys\. Got .*\n", done.output)
    assert sender.git("status", "--short") == ""
    assert not any(ssh.folder.iterdir())


@pytest.fixture(scope="module")
def published(
    original: Clone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Clone, HttpServer, FolderServer]]:
    """Results that were shared through a folder, which is served over HTTP, too."""
    folder = FolderServer(tmp_path_factory.mktemp("published") / "remote")
    author = copy_original(original, tmp_path_factory.mktemp("author") / "of", folder)
    assert author.run("fusionseq.share", folder.url).status == 0
    server = HttpServer(folder.folder)
    author.dvc("remote", "add", "public", server.url)
    author.dvc("remote", "modify", "public", "verify", "true")
    author.commit("Share and publish")
    yield author, server, folder
    server.stop()


def test_the_public_pulls_and_cannot_push(published: tuple[Clone, HttpServer, FolderServer], tmp_path: Path) -> None:
    author, server, _ = published
    reader = clone(author, tmp_path / "reader", server)
    done = reader.run("fusionseq.pull", "public")
    assert (done.status, done.last_line) == (0, "pull: all 2 outputs are as dvc.lock has them")
    assert reader.read_data() == author.read_data()
    assert "Data and pipelines are up to date" in reader.dvc("repro")
    (reader.root / "single").write_text("another")
    reader.dvc("repro", "--quiet")
    done = reader.run("dvc", "push", "--remote", "public")
    assert done.status != 0
    assert done.last_line.startswith("ERROR: failed to push data to the cloud")


def test_what_dvc_would_not_hash_is_not_fetched(
    published: tuple[Clone, HttpServer, FolderServer], tmp_path: Path
) -> None:
    author, server, _ = published
    reader = clone(author, tmp_path / "reader", server)
    reader.dvc("remote", "add", "--local", "trusted", server.url)
    done = reader.run("fusionseq.pull", "trusted")
    assert (done.status, done.output) == (
        1,
        f"error: {server.url} would be taken on trust; `dvc remote modify trusted verify true` before.\n",
    )
    assert reader.read_data() == reader.list_objects() == {}


@pytest.mark.parametrize("what", ["file", "list"])
def test_the_public_gets_nothing_damaged(
    published: tuple[Clone, HttpServer, FolderServer], tmp_path: Path, what: str
) -> None:
    author, server, _ = published
    reader = clone(author, tmp_path / "reader", server)
    name = find_object(author, "part 1") if what == "file" else find_list(author)
    with damaged(server, name, server.read(name).replace(b"1", b"8")):
        done = reader.run("fusionseq.pull", "public")
        assert done.status == 1
        assert done.last_line.startswith("error: ")
        hold_nothing_wrong(reader, author)


def test_the_public_server_is_gone(published: tuple[Clone, HttpServer, FolderServer], tmp_path: Path) -> None:
    author, server, _ = published
    reader = clone(author, tmp_path / "reader", server)
    server.stop()
    try:
        done = reader.run("fusionseq.pull", "public")
        assert done.status == 1
        assert re.fullmatch(rf"error: {server.url} cannot be reached or refuses; .*\n", done.output)
    finally:
        server.start()
