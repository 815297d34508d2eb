"""A real Glance and a real Keystone on loopback: installed in environments of their own, served by waitress.

Environments are kept in CATALOG_REAL_CLOUD_ENVS (default: the user's cache folder) and used again. They need
Python 3.11. Data lives in the folder that the caller gives; servers are ended by their process id.
"""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support import environment as environment_of_tests

GLANCE = ("glance==33.0.0", "waitress>=3")
KEYSTONE = ("keystone==30.0.0", "waitress>=3")
PYTHON = "3.11"
START_SECONDS = 60.0
ADMIN_PASSWORD = "admin-made-up"
GLANCE_PASSWORD = "glance-made-up"

LAUNCHER = """
import socket, sys
sys.argv = ["real_cloud"]  # Keystone parses it on import
import logging; logging.disable(logging.INFO)
from {module} import application
import waitress
waitress.serve(application, sockets=[socket.socket(fileno={fd})], threads=4)
"""

PLAIN_TOKEN = '''
"""In place of Keystone's middleware: a token `user:project:role,role` says itself who comes with it."""
import pathlib


def factory(global_conf, **local_conf):
    revoked = pathlib.Path(__file__).parent / "revoked"

    def build(app):
        def handle(environ, start_response):
            token = environ.get("HTTP_X_AUTH_TOKEN", "")
            parts = token.split(":")
            if len(parts) != 3 or token in revoked.read_text().splitlines():
                start_response("401 Unauthorized", [("Content-Type", "text/html")])
                return [b"<html>Unauthorized</html>"]
            user, project, roles = parts
            environ.update(
                HTTP_X_IDENTITY_STATUS="Confirmed",
                HTTP_X_USER_ID=user,
                HTTP_X_PROJECT_ID=project,
                HTTP_X_TENANT_ID=project,
                HTTP_X_ROLES=roles,
            )
            return app(environ, start_response)

        return handle

    return build
'''


class PythonMissing(Exception):
    """There is no Python 3.11 to run the services with."""


def environment(name: str, requirements: tuple[str, ...]) -> Path:
    """The folder of a virtual environment with the requirements, made where there is none yet."""
    cache = os.environ.get("CATALOG_REAL_CLOUD_ENVS") or Path.home() / ".cache" / "catalog-real-cloud"
    folder = Path(cache) / f"{requirements[0].replace('==', '-')}-py{PYTHON}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / "ready"
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)
            run([_python(), "-m", "venv", str(folder)])
            pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            run([*pip, *requirements])
            ready.touch()
    return folder


def _python() -> str:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
        return sys.executable
    found = shutil.which(f"python{PYTHON}")
    if found is None:
        raise PythonMissing(f"Glance and Keystone are run by Python {PYTHON}, which is not installed")
    return found


def run(command: list[str], env: Mapping[str, str] | None = None) -> None:
    """Runs to the end. Raises AssertionError with the output if it fails."""
    done = subprocess.run(
        command, env=_clean_env(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}"


def _clean_env(more: Mapping[str, str] | None) -> dict[str, str]:
    """Without settings of clouds and of our own Python; package indexes and proxies stay."""
    kept = {
        name: value
        for name, value in environment_of_tests.ORIGINAL.items()
        if not name.startswith(("OS_", "CATALOG_"))
        and name not in ("PYTHONPATH", "PYTHONWARNINGS", "VIRTUAL_ENV")
    }
    return kept | dict(more or {})


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket on a free port of loopback, to be handed to a server: nobody else can take the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken


@contextmanager
def serving(
    folder: Path, module: str, taken: socket.socket, env: Mapping[str, str], probe: str, log: Path
) -> Iterator[str]:
    """The WSGI application of `module`, ready to answer. Yields its address."""
    code = LAUNCHER.format(module=module, fd=taken.fileno())
    url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(folder / "bin/python"), "-c", code],
            env=_clean_env(env),
            pass_fds=[taken.fileno()],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    taken.close()  # the server has it now; a server that died answers no more
    try:
        _wait_until_ready(process, url + probe, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < ends:
        try:
            # The socket listens from the start: a request waits in its queue until the server is up.
            if httpx.get(url, timeout=2, trust_env=False).status_code in (200, 300):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not come up: {log.read_text(errors='replace')[-3000:]}")


GLANCE_CONF = """
[DEFAULT]
enabled_backends = fs:file
limit_param_default = 5
api_limit_max = 1000
workers = 0
[database]
connection = sqlite:///{data}/glance.sqlite
[paste_deploy]
flavor = keystone
config_file = {data}/glance-api-paste.ini
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = {data}/images
[os_glance_tasks_store]
filesystem_store_datadir = {data}/tasks
[os_glance_staging_store]
filesystem_store_datadir = {data}/staging
[image_format]
disk_formats = raw,qcow2,iso,vhd,vmdk,zvhd,zvhd2
require_image_format_match = false
[keystone_authtoken]
{authtoken}
"""


@contextmanager
def glance(data: Path, authtoken: Mapping[str, str] | None = None) -> Iterator[Glance]:
    """A Glance with an empty database. Without `authtoken` (Keystone's), a token says itself who comes."""
    folder = environment("glance", GLANCE)
    for name in ("images", "tasks", "staging"):
        (data / name).mkdir(parents=True)
    settings = "\n".join(f"{key} = {value}" for key, value in (authtoken or {}).items())
    (data / "glance-api.conf").write_text(GLANCE_CONF.format(data=data, authtoken=settings))
    paste = (folder / "etc/glance/glance-api-paste.ini").read_text()
    if authtoken is None:
        paste = paste.replace("keystonemiddleware.auth_token:filter_factory", "plain_token:factory")
    (data / "glance-api-paste.ini").write_text(paste)
    (data / "plain_token.py").write_text(PLAIN_TOKEN)
    (data / "revoked").write_text("")
    manage = "import sys; from glance.cmd.manage import main; sys.exit(main())"
    run([str(folder / "bin/python"), "-c", manage, "--config-file", str(data / "glance-api.conf"), "db_sync"])
    env = {"OS_GLANCE_CONFIG_DIR": str(data), "PYTHONPATH": str(data)}
    with listening() as taken:
        with serving(folder, "glance.wsgi.api", taken, env, "/healthcheck", data / "glance.log") as url:
            yield Glance(url, data)


@dataclass(frozen=True)
class Glance:
    """The running service, and what its owner does to it."""

    url: str
    data: Path

    def request(self, method: str, path: str, token: str, body: Any = None, **headers: str) -> Any:
        """One request; the decoded body, or None. Raises AssertionError for a refusal."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        answer = httpx.request(
            method,
            f"{self.url}{path}",
            headers={"X-Auth-Token": token, "Accept": "application/json", **headers},
            timeout=30,
            trust_env=False,
            **content,
        )
        assert answer.is_success, f"{method} {path} {body!r}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def create(self, token: str, data: bytes | None = None, **fields: Any) -> str:
        """A new image's id; `data` makes it active."""
        record = self.request(
            "POST", "/v2/images", token, {"disk_format": "raw", "container_format": "bare", **fields}
        )
        if data is not None:
            kind = {"Content-Type": "application/octet-stream"}
            self.request("PUT", f"/v2/images/{record['id']}/file", token, data, **kind)
        return str(record["id"])

    def delete(self, token: str, image_id: str) -> None:
        self.request("DELETE", f"/v2/images/{image_id}", token)

    def revoke(self, token: str) -> None:
        """A token of our own kind is refused from now on."""
        with (self.data / "revoked").open("a") as revoked:
            revoked.write(token + "\n")


KEYSTONE_CONF = """
[DEFAULT]
[database]
connection = sqlite:///{data}/keystone.sqlite
[fernet_tokens]
key_repository = {data}/fernet
[fernet_receipts]
key_repository = {data}/fernet
[credential]
key_repository = {data}/credential
[identity]
# Strong hashes are the slow part of a login.
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
[token]
provider = fernet
"""

KEYSTONE_MANAGE = "from keystone.cmd.manage import main; main()"


@contextmanager
def keystone(data: Path, region: str) -> Iterator[Keystone]:
    """A Keystone with one administrator, in one region."""
    folder = environment("keystone", KEYSTONE)
    data.mkdir(parents=True)
    config = data / "keystone.conf"
    config.write_text(KEYSTONE_CONF.format(data=data))
    for repository in ("fernet", "credential"):
        # What fernet_setup and credential_setup write, without their four seconds each.
        (data / repository).mkdir(mode=0o700)
        for name in ("0", "1"):
            (data / repository / name).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    with listening() as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v3"
        address = [
            "--bootstrap-public-url",
            url,
            "--bootstrap-internal-url",
            url,
            "--bootstrap-region-id",
            region,
        ]
        for command in (
            ["db_sync"],
            ["bootstrap", "--bootstrap-password", ADMIN_PASSWORD, *address],
        ):
            python = [str(folder / "bin/python"), "-c", KEYSTONE_MANAGE, "--config-file", str(config)]
            run([*python, *command])
        env = {"OS_KEYSTONE_CONFIG_DIR": str(data)}
        with serving(folder, "keystone.wsgi.api", taken, env, "/v3", data / "keystone.log"):
            yield Keystone(url)


class Keystone:
    """The running service, and what its administrator does to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.admin_token = self.log_in()

    def log_in(
        self, user: str = "admin", password: str = ADMIN_PASSWORD, project: str | None = "admin"
    ) -> str:
        """A token."""
        scope = {"scope": {"project": {"name": project, "domain": {"id": "default"}}}} if project else {}
        identity = {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}},
        }
        answer = self._send("POST", "/auth/tokens", None, {"auth": {"identity": identity, **scope}})
        return answer.headers["X-Subject-Token"]

    def request(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        answer = self._send(method, path, token or self.admin_token, body)
        return answer.json() if answer.content else None

    def create(self, collection: str, **fields: Any) -> str:
        """A new project, user, service, ...; its id."""
        (created,) = self.request("POST", f"/{collection}s", {collection: fields}).values()
        return str(created["id"])

    def grant(self, user: str, project: str, *roles: str) -> None:
        known = {role["name"]: role["id"] for role in self.request("GET", "/roles")["roles"]}
        for role in roles:
            self.request("PUT", f"/projects/{project}/users/{user}/roles/{known[role]}")

    def withdraw(self, user: str, project: str, role: str) -> None:
        """The opposite of `grant`."""
        known = {one["name"]: one["id"] for one in self.request("GET", "/roles")["roles"]}
        self.request("DELETE", f"/projects/{project}/users/{user}/roles/{known[role]}")

    def revoke(self, token: str) -> None:
        answer = httpx.delete(
            f"{self.url}/auth/tokens",
            headers={"X-Auth-Token": self.admin_token, "X-Subject-Token": token},
            trust_env=False,
        )
        answer.raise_for_status()

    def _send(self, method: str, path: str, token: str | None, body: Any) -> httpx.Response:
        answer = httpx.request(
            method,
            self.url + path,
            headers={"X-Auth-Token": token} if token else {},
            json=body,
            timeout=30,
            trust_env=False,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer
