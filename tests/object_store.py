"""An S3 service on loopback, for what test_sharing.py does: OpenStack Swift from Debian's packages, behind nginx."""

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from pwd import getpwuid
from secrets import token_hex
from subprocess import PIPE, Popen
from urllib.parse import quote

import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from programs import find_program

_STORES = ("account", "container", "object")
PROGRAMS = (*(f"swift-{name}-server" for name in ("proxy", *_STORES)), "memcached", "nginx")
ACCOUNT, USER = "team", "member"
BUCKET = "fusionseq"
REGION = "us-east-1"

# Seconds from the start until all servers listen; a machine may be busy.
_PATIENCE = 180

# For the Python that Swift is installed in. Its libraries take most of the start, and so are loaded once for the four
# servers, which are what Debian's programs of their names run. All servers end with the process that started this one.
_LAUNCHER = """
import json, os, signal, sys
import swift.account.server, swift.container.server, swift.obj.server, swift.proxy.server
from swift.common.ring import RingBuilder
from swift.common.utils import eventlet_monkey_patch
from swift.common.wsgi import run_wsgi

# Each server does so, in half a second; the second time, it takes none.
eventlet_monkey_patch()
ports, commands = json.loads(sys.argv[1])
servers = [os.posix_spawn(command[0], command, os.environ) for command in commands]
for name in ("account", "container", "object"):
    ring = RingBuilder(part_power=0, replicas=1, min_part_hours=0)
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": ports[name], "device": "disk", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(f"{name}.ring.gz")
for name in ("account", "container", "object", "proxy"):
    server = os.fork()
    if not server:
        sys.exit(run_wsgi(os.path.abspath(f"{name}.conf"), f"{name}-server", verbose=True))
    servers.append(server)
sys.stdin.read()
for server in servers:
    os.kill(server, signal.SIGKILL)
for server in servers:
    os.waitpid(server, 0)
"""

_COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
# In the foreground, as whoever runs the tests.
workers = 0
user = {user}
swift_dir = {folder}
# Standard error has the log, and nobody listens here.
log_udp_host = 127.0.0.1
log_udp_port = {port}
"""

_STORE = """
devices = {folder}/devices
mount_check = false
# However full the disk is.
fallocate_reserve = 0

[pipeline:main]
pipeline = {name}-server

[app:{name}-server]
use = egg:swift#{name}
"""

# Swift adds what else it needs.
_PROXY = """
[pipeline:main]
pipeline = cache s3api tempauth slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}

[filter:s3api]
use = egg:swift#s3api
location = {region}

[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin

[filter:slo]
use = egg:swift#slo
"""

# Swift ends its answers to HEAD with an empty chunk, which no client of HTTP/1.1 expects; HTTP/1.0 knows no chunks.
_NGINX = """
daemon off;
master_process off;
pid "{folder}/nginx.pid";
error_log "{folder}/log.txt";
events {{}}
http {{
    access_log off;
    client_body_temp_path "{folder}/nginx"; proxy_temp_path "{folder}/nginx";
    fastcgi_temp_path "{folder}/nginx"; uwsgi_temp_path "{folder}/nginx"; scgi_temp_path "{folder}/nginx";
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://127.0.0.1:{proxy};
            proxy_http_version 1.0;
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"""


class ObjectStore:
    """A bucket of an S3 service that keeps what it holds in a folder: a `RemoteServer`.

    Attributes
    ----------
    address
        Of the service, as AWS_ENDPOINT_URL takes it.
    """

    settings: Mapping[str, str] = {}
    url = f"s3://{BUCKET}/team"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        key, secret = f"{ACCOUNT}:{USER}", token_hex()
        self._credentials = Credentials(key, secret)
        (folder / "devices" / "disk").mkdir(parents=True)
        self._ports = ports = dict(zip((*_STORES, "proxy", "memcached", "nginx"), _find_ports(6), strict=True))
        self.address = f"http://127.0.0.1:{ports['nginx']}"
        self.environment: Mapping[str, str] = {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_ENDPOINT_URL": self.address,
            "AWS_DEFAULT_REGION": REGION,
            # One that is gone is asked once, and not again after growing pauses.
            "AWS_MAX_ATTEMPTS": "1",
        }
        self._user = getpwuid(os.geteuid()).pw_name
        for name in _STORES:
            self._configure(name, _STORE.format(folder=folder, name=name))
        proxy = _PROXY.format(memcached=ports["memcached"], region=REGION, account=ACCOUNT, user=USER, secret=secret)
        self._configure("proxy", proxy)
        (folder / "launch.py").write_text(_LAUNCHER)
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=ports["nginx"], proxy=ports["proxy"]))
        self.start()
        try:
            self._request("PUT", "")
        except BaseException:
            self.stop()
            raise

    def _configure(self, name: str, text: str) -> None:
        common = _COMMON.format(port=self._ports[name], user=self._user, folder=self._folder)
        (self._folder / f"{name}.conf").write_text(common + text)

    def start(self) -> None:
        """Start all of its servers, at the same address as before, and wait until they listen."""
        programs = {name: find_program(name) or name for name in PROGRAMS}
        python = Path(programs["swift-proxy-server"]).read_text().splitlines()[0].removeprefix("#!").split()
        memcached = ("-l", "127.0.0.1", "-p", str(self._ports["memcached"]), "-u", self._user)
        nginx = ("-p", str(self._folder), "-c", "nginx.conf", "-e", "log.txt")
        commands = [(programs["memcached"], *memcached), (programs["nginx"], *nginx)]
        log = self._folder / "log.txt"
        with log.open("a") as file:
            self._launcher = Popen(
                [*python, "-I", "launch.py", json.dumps([self._ports, commands])],
                cwd=self._folder,
                env={"PATH": os.defpath, "EVENTLET_NO_GREENDNS": "yes"},
                stdin=PIPE,
                stdout=file,
                stderr=file,
            )
        end = time.monotonic() + _PATIENCE
        for port in self._ports.values():
            while not _listens(port):
                if time.monotonic() > end or self._launcher.poll() is not None:
                    self.stop()
                    raise RuntimeError(f"the S3 service did not start:\n{log.read_text()}")
                time.sleep(0.02)

    def stop(self) -> None:
        """Kill all of them."""
        self._launcher.communicate()

    def read(self, name: str) -> bytes:
        """Read an object below the address."""
        return self._request("GET", f"team/{name}").content

    def write(self, name: str, content: bytes) -> None:
        """Write an object: a service of S3 has no back."""
        self._request("PUT", f"team/{name}", content)

    def remove(self, name: str) -> None:
        """Remove an object."""
        self._request("DELETE", f"team/{name}")

    def _request(self, method: str, name: str, content: bytes = b"") -> requests.Response:
        url = f"{self.address}/{BUCKET}/{quote(name)}".removesuffix("/")
        request = AWSRequest(method, url, data=content)
        S3SigV4Auth(self._credentials, "s3", REGION).add_auth(request)
        with requests.Session() as session:
            # Whatever proxy this machine has.
            session.trust_env = False
            response = session.request(method, url, headers=dict(request.headers), data=content, timeout=30)
        if response.status_code == 404:
            raise FileNotFoundError(name)
        response.raise_for_status()
        return response


def _find_ports(number: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
