from pathlib import Path

import pytest

from fusionseq.errors import PipelineError
from fusionseq.remotes import Address, add_remote, hide_password, parse_address, read_url

CONFIG = (Path(__file__).parents[1] / ".dvc" / "config").read_text(encoding="utf-8")
FOLDER = Address("/shared/results", {"verify": "true", "shared": "group"}, is_folder=True)


def parse(text: str, **environment: str) -> Address:
    return parse_address(text, "/home/me/repository", environment)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/shared/results", "/shared/results"),
        ("/shared//results/", "/shared/results"),
        ("../results", "/home/me/results"),
        ("results", "/home/me/repository/results"),
        ("./a:b", "/home/me/repository/a:b"),
        ("/with spaces/and 'quotes'", "/with spaces/and 'quotes'"),
        ("; rm -rf /", "/home/me/repository/; rm -rf"),
        ("-rf", "/home/me/repository/-rf"),
        ("${HOME}/$(id)", "/home/me/repository/${HOME}/$(id)"),
    ],
)
def test_a_folder_is_absolute_and_taken_as_it_is_spelt(text: str, path: str) -> None:
    address = parse(text)
    assert (address.url.strip(), address.is_folder) == (path, True)
    assert address.settings == {"verify": "true", "shared": "group"}


def test_a_home_is_that_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert parse("~/results").url == "/home/me/results"
    with pytest.raises(PipelineError, match=r"^~nobody-of-that-name/x begins with a home that nobody has"):
        parse("~nobody-of-that-name/x")


@pytest.mark.parametrize("url", ["ssh://host/folder", "ssh://me@host:2222/a folder", "s3://bucket", "s3://bucket/a/b"])
def test_a_server_is_verified(url: str) -> None:
    assert parse(url) == Address(url, {"verify": "true"}, is_folder=False)


def test_the_endpoint_of_s3_goes_to_every_clone() -> None:
    address = parse("s3://bucket/a", AWS_ENDPOINT_URL="https://s3.example.org", AWS_PROFILE="me")
    assert address.settings == {"verify": "true", "endpointurl": "https://s3.example.org"}
    both = parse("s3://b", AWS_ENDPOINT_URL="https://a.example.org", AWS_ENDPOINT_URL_S3="https://b.example.org")
    assert both.settings["endpointurl"] == "https://b.example.org"
    with pytest.raises(PipelineError, match=r"^AWS_ENDPOINT_URL holds a secret or is no URL") as caught:
        parse("s3://bucket/a", AWS_ENDPOINT_URL="https://me:hunter2@s3.example.org")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["ssh://me:hunter2@host/a", "ssh://:hunter2@host/a", "s3://hunter2@bucket/a", "s3://key:hunter2@bucket", "https://hunter2@host/a"],
)  # fmt: skip
def test_a_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(PipelineError, match=r"^the remote's address holds a secret, and Git would keep it\.") as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no remote is named; name a folder as /shared/folder, ssh://host/folder or s3://bucket/folder\.$"),
        ("  ", "no remote is named"),
        ("/a\nb", "the remote's address holds a character that cannot be printed"),
        ("/a\x1b[2J", "the remote's address holds a character that cannot be printed"),
        ("/a\udcff", "the remote's address holds a character that cannot be printed"),
        ("ssh://host", "ssh://host must name a host and a folder by its path from the root"),
        ("ssh://host/", "ssh://host/ must name a host and a folder"),
        ("ssh:///folder", "ssh:///folder must name a host and a folder"),
        ("ssh://host/~/folder", "ssh://host/~/folder must name a host and a folder"),
        ("ssh://host:99999/a", r"the remote's address is no URL \(Port out of range 0-65535\)"),
        ("ssh://[::1/a", r"the remote's address is no URL \(Invalid IPv6 URL\)"),
        ("ssh://host/a?key=hunter2", r"the remote's address must end with its folder, without \? and #"),
        ("s3://bucket/a#hunter2", r"the remote's address must end with its folder, without \? and #"),
        ("s3:///a", "s3:///a names no bucket"),
        ("gs://bucket/a", "results cannot be shared through gs://"),
        ("file:///shared", "results cannot be shared through file://"),
        ("me@host:/a", "host:/a could be a folder or a server; write ./ before a folder, and ssh://host/folder"),
        ("hunter2@host:a", "host:a could be a folder or a server"),
        ("https://host/a", "https://host/a is to pull from: .*`dvc remote add public https://host/a` and `dvc remote"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_shared_through(text: str, message: str) -> None:
    with pytest.raises(PipelineError, match=f"^{message}") as caught:
        parse(text)
    assert str(caught.value).isprintable()
    assert "hunter2" not in str(caught.value)


def test_the_remote_is_the_default_and_all_else_stays() -> None:
    edited = add_remote(CONFIG, FOLDER)
    assert edited == CONFIG.replace("[cache]", "    remote = team\n[cache]") + (
        "['remote \"team\"']\n    url = /shared/results\n    verify = true\n    shared = group\n"
    )
    assert read_url(CONFIG) is None
    assert read_url(edited) == "/shared/results"
    assert add_remote(edited, FOLDER) == edited


def test_settings_stay_with_their_address() -> None:
    edited = add_remote(CONFIG, FOLDER).replace("verify = true", "verify = false\n    jobs = 2")
    again = add_remote(edited, FOLDER)
    assert "verify = true" in again
    assert "jobs = 2" in again
    moved = add_remote(edited, Address("s3://bucket", {"verify": "true"}, is_folder=False))
    assert "jobs" not in moved
    assert "shared" not in moved


def test_other_remotes_and_relative_paths_stay() -> None:
    config = CONFIG + "    dir = ../../cache\n['remote \"public\"']\n    url = https://host/a\n    verify = true\n"
    edited = add_remote(config, FOLDER)
    assert "dir = ../../cache" in edited
    assert "['remote \"public\"']\n    url = https://host/a\n    verify = true\n" in edited


@pytest.mark.parametrize(
    "path", ["/a b", "/a,b", "/a#b", "/a=b", "/a;b", "/a'b", '/a"b', "/a\\b", "/a%b", "/[a]", "/$a", "/ "]
)
def test_awkward_addresses_come_back_as_they_were(path: str) -> None:  # fmt: skip
    assert read_url(add_remote(CONFIG, Address(path, {"verify": "true"}, is_folder=True))) == path


@pytest.mark.parametrize("path", ["/ü", "/%(a)s", "/a'''b\"\"\"c"])
def test_what_dvc_could_not_read_back_is_refused(path: str) -> None:
    with pytest.raises(PipelineError, match=r"cannot stand in \.dvc/config; name a folder of ASCII letters"):
        add_remote(CONFIG, Address(path, {"verify": "true"}, is_folder=True))


@pytest.mark.parametrize("config", ["<<<<<<< HEAD\n[core]\n=======\n", "x", "[core]\n    remote = %(a)s\n", "\0"])
def test_a_damaged_configuration_is_one_line(config: str) -> None:
    with pytest.raises(PipelineError, match=r"^\.dvc/config is damaged, perhaps by a merge") as caught:
        add_remote(config, FOLDER)
    assert "\n" not in str(caught.value)


def test_a_damaged_line_shows_no_password() -> None:
    with pytest.raises(PipelineError, match=r"Got .*ssh://me@host/a") as caught:
        read_url("x ssh://me:hunter2@host/a\n")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ssh://me:hunter2@host:22/a", "ssh://me@host:22/a"),
        ("https://me:hunter2@hunter2@host/a", "https://me@host/a"),
        ("Got 401 from https://:hunter2@host/a.", "Got 401 from https://@host/a."),
        ("ssh://me@host:22/a", "ssh://me@host:22/a"),
        ("http://host:8080/a@b:c@d", "http://host:8080/a@b:c@d"),
        ("/shared/a:b@c", "/shared/a:b@c"),
    ],
)
def test_a_password_is_left_out(text: str, shown: str) -> None:
    assert hide_password(text) == shown
