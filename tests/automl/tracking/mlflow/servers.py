"""Real servers for tests of the record: PostgreSQL, MLflow, S3 by moto, and a proxy that injects faults."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.request import Request, urlopen

import pytest

from automl.tracking.mlflow.environment import QUIET_ENVIRONMENT
from tests.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROGRAMS = {name: shutil.which(name) for name in ("initdb", "postgres")}
needs_postgresql = pytest.mark.skipif(
    None in PROGRAMS.values() or find_spec("psycopg2") is None, reason="PostgreSQL or psycopg2 is not installed"
)
needs_moto = pytest.mark.skipif(find_spec("moto") is None, reason="moto is not installed")

# PostgreSQL refuses to run as root.
OWNER = "nobody" if os.getuid() == 0 else None
LIMIT_S = 120.0
BUCKET = "automl"
_NOT_FORWARDED = {"host", "transfer-encoding", "content-length"}
S3_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Run a cluster of our own on loopback; give the URI of an empty database."""
    with tempfile.TemporaryDirectory(prefix="automl-postgresql-") as name:
        folder, port = Path(name), free_port()
        if OWNER is not None:
            shutil.chown(folder, OWNER)
        cluster = folder / "cluster"
        settings = ["-c", "fsync=off", "-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
        subprocess.run(
            [str(PROGRAMS["initdb"]), "-D", str(cluster), "-U", "automl", "-A", "trust", "-E", "UTF8", "--no-sync"],
            user=OWNER, cwd=folder, check=True, capture_output=True, timeout=LIMIT_S,
        )  # fmt: skip
        with subprocess.Popen(
            [str(PROGRAMS["postgres"]), "-D", str(cluster), "-p", str(port), *settings],
            user=OWNER, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as server:  # fmt: skip
            try:
                _make_database(port)
                yield f"postgresql+psycopg2://automl@127.0.0.1:{port}/mlflow"
            finally:
                server.send_signal(signal.SIGINT)  # fast: connections that are open are closed
                server.wait(30)


def _make_database(port: int) -> None:
    connection = _connect(port)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE mlflow")


def _connect(port: int) -> Any:  # noqa: ANN401 # psycopg2 is imported only where it is installed
    psycopg2: Any = import_module("psycopg2")
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            return psycopg2.connect(host="127.0.0.1", port=port, user="automl", dbname="postgres")
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.2)


@contextlib.contextmanager
def mlflow_server(
    database: str, port: int, folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run MLflow's tracking server on a database; artifacts go through it into the folder unless options say else."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += options or ["--artifacts-destination", str(folder / "artifacts")]
    variables = {**os.environ, **QUIET_ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running(command, {**variables, **(environment or {})}, folder / "server.log") as server:
        wait_until_up(server, f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """Run moto's S3 with an empty bucket `BUCKET`; give the environment by which MLflow finds it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, os.environ, folder / "moto.log") as server:
        wait_until_up(server, f"{url}/moto-api/")
        with urlopen(Request(f"{url}/{BUCKET}", method="PUT"), timeout=30):  # noqa: S310 # our own server
            pass
        yield {**S3_ENVIRONMENT, "MLFLOW_S3_ENDPOINT_URL": url}


@contextlib.contextmanager
def running(command: list[str], environment: Mapping[str, str], log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a session of its own; its children end with it."""
    with (
        log_file.open("ab") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True) as server,
    ):
        try:
            yield server
        finally:
            end(server)


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server and its children, also one that waits for a connection to be closed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
            return


def wait_until_up(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            with urlopen(url, timeout=2):  # noqa: S310 # our own server
                return
        except OSError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.3)


class FaultProxy:
    """Forwards to a server, but answers what ``fault`` of method, path and body length says: a status or None.

    Attributes:
        uri: Its address.
        fault: May be replaced at any time. The status 0 closes the connection, -1 answers after a minute.
        requests: Method and path of each request, in order.
    """

    def __init__(self, target: str) -> None:
        self.fault: Callable[[str, str, int], int | None] = lambda _method, _path, _length: None
        self.requests: list[tuple[str, str]] = []
        self.target = target.removeprefix("http://")
        self._server = LocalServer(("127.0.0.1", 0), partial(_ProxyHandler, self))
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _ProxyHandler(BaseHTTPRequestHandler):
    def __init__(self, proxy: FaultProxy, *arguments: Any) -> None:  # noqa: ANN401 # of the base class
        self._proxy = proxy
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        body = self._body()
        length = len(body)
        self._proxy.requests.append((self.command, self.path))
        status = self._proxy.fault(self.command, self.path, length)
        if status is None:
            self._forward(body)
        elif status > 0:
            self._reply(status, "text/html", b"<html>the proxy says no</html>")
        else:
            time.sleep(60 if status < 0 else 0)
            self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []  # so are files without content
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _forward(self, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED}
        with contextlib.closing(HTTPConnection(self._proxy.target, timeout=60)) as connection:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            self._reply(answer.status, answer.headers.get("Content-Type", ""), answer.read())

    def _reply(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_ProxyHandler, f"do_{_method}", _ProxyHandler.answer)
