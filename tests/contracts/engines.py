"""A real Docker engine of our own, and an image made here: this interpreter, its standard library and PyYAML.

Everything lies in one folder; the engine dies with the tests. Where dockerd is not installed, or this user may not
start it, the tests that need it are skipped.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.launch.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "automl-tests/python:1"
PYTHON = "/opt/python/bin/python3"
TRAINER = "/opt/trainer.py"
START_LIMIT_S = 30.0
_SYSTEM_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"

_SCRIPTED_TRAINER = Path(__file__).parents[1] / "acceptance/scripted_trainer.py"
_LEFT_OUT = {"test", "tests", "idlelib", "tkinter", "ensurepip", "site-packages", "lib2to3", "pydoc_data", "turtledemo"}
_LEFT_OUT |= {"sqlite3", "curses", "dbm", "distutils"}
_UNUSED_MODULE = re.compile(r"_?(ssl|hashlib|sqlite3|curses|tkinter|test|dbm|gdbm|readline|lzma|bz2|crypt|uuid|xx|nis)")


@contextlib.contextmanager
def docker_engine(*, port: int | None = None, hidden: Path | None = None) -> Iterator[str]:
    """Run an engine with `IMAGE` in it; yield its address for DOCKER_HOST.

    Args:
        port: Of 127.0.0.1, for an engine that is asked over the network; a socket without.
        hidden: A folder that the engine sees empty, as one on another machine would.
    """
    program = shutil.which("dockerd", path=_SYSTEM_PATH)
    if program is None or shutil.which("docker") is None:
        pytest.skip("dockerd is not installed")
    if os.getuid() != 0:
        pytest.skip("only root may start dockerd")
    # Sockets lie in it, and a socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="automl-dockerd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        address = f"unix://{folder}/socket" if port is None else f"tcp://127.0.0.1:{port}"
        before = hiding(hidden)
        drivers = ("overlay2", "vfs")
        daemon = next((one for driver in drivers if (one := _start((*before, program), folder, driver, address))), None)
        if daemon is None:
            pytest.skip(f"dockerd does not start here: {(folder / 'log').read_text(encoding='utf-8')[-300:]}")
        try:
            import_image("docker", folder / "image.tar", {**os.environ, "DOCKER_HOST": address})
            yield address
        finally:
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


@contextlib.contextmanager
def podman_engine() -> Iterator[dict[str, str]]:
    """Give Podman a store of its own with `IMAGE` in it; yield the variables that lead to it."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    runtime = next((name for name in ("runc", "crun") if shutil.which(name, path=_SYSTEM_PATH)), "crun")
    with tempfile.TemporaryDirectory(prefix="automl-podman-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        variables = {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }
        environment = {**os.environ, **variables}
        (folder / "containers.conf").write_text(_podman_settings(folder, runtime), encoding="utf-8")
        problem = ""
        for driver in ("overlay", "vfs"):
            store = f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/{driver}"\nrunroot = "{folder}/run"\n'
            (folder / "storage.conf").write_text(store, encoding="utf-8")
            problem = _try_podman(folder / "image.tar", environment)
            if not problem:
                break
        if problem:
            pytest.skip(f"podman runs no container here: {problem[-300:]}")
        try:
            yield variables
        finally:
            for verb in (("rm", "--all", "--force"), ("rmi", "--all", "--force")):
                subprocess.run(["podman", *verb], env=environment, capture_output=True, check=False)  # noqa: S607 # the one under test


def _podman_settings(folder: Path, runtime: str) -> str:
    # Where a limit may not be raised, containers cannot have Podman's own default.
    limits = 'default_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]'
    engine = f'runtime = "{runtime}"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "{folder}/scratch"'
    return f"[containers]\n{limits}\n[engine]\n{engine}\n"


def _try_podman(archive: Path, environment: dict[str, str]) -> str:
    """Import the image and run it once; return what is wrong."""
    try:
        import_image("podman", archive, environment)
        trial = ["podman", "run", "--rm", "--network", "none", IMAGE, PYTHON, "-S", "-c", "pass"]
        subprocess.run(trial, env=environment, check=True, capture_output=True, text=True, timeout=60)
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""


def import_image(program: str, archive: Path, environment: dict[str, str]) -> None:
    """Make the image and import it into an engine."""
    if not archive.exists():
        write_image(archive)
    changes = ("ENV PATH=/opt/python/bin:/bin", "ENV LD_LIBRARY_PATH=/opt/python/lib")
    options = [word for change in changes for word in ("--change", change)]
    subprocess.run(
        [program, "import", *options, str(archive), IMAGE],
        env=environment,
        check=True,
        capture_output=True,
        timeout=120,
    )


def write_image(archive: Path) -> None:
    """Write the image's file system."""
    library = Path(sysconfig.get_path("stdlib"))
    interpreter = Path(sys.executable).resolve()
    needed = shared_libraries(interpreter)
    for module in (library / "lib-dynload").glob("*.so"):
        if not _UNUSED_MODULE.match(module.name):
            needed |= shared_libraries(module)
    with tarfile.open(archive, "w") as tar:
        tar.add(library, f"opt/python/lib/{library.name}", filter=_slim)
        tar.add(Path(yaml.__file__).parent, f"opt/python/lib/{library.name}/yaml", filter=_slim)
        tar.add(interpreter, PYTHON.lstrip("/"))
        tar.add(_SCRIPTED_TRAINER, TRAINER.lstrip("/"))
        for path in needed:
            # The loader is found by its absolute path, everything else by LD_LIBRARY_PATH.
            place = str(path).lstrip("/") if path.name.startswith("ld-") else f"opt/python/lib/{path.name}"
            tar.add(path.resolve(), place)
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(scratch)


def shared_libraries(file: Path) -> set[Path]:
    """Return the files of the libraries that a program or a library is linked with."""
    answer = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout  # noqa: S607 # of the C library
    return {Path(found) for found in re.findall(r"(/\S+) \(0x", answer)}


def _slim(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(entry.name).parts
    is_unused = bool(_LEFT_OUT.intersection(parts)) or any(part.startswith("config-") for part in parts)
    if is_unused or entry.name.endswith((".opt-1.pyc", ".opt-2.pyc")):
        return None
    entry.uid = entry.gid = 0
    return entry


def hiding(folder: Path | None) -> tuple[str, ...]:
    """Return what starts a program in a mount namespace in which a folder is empty."""
    if folder is None:
        return ()
    script = f'mount -t tmpfs none {shlex.quote(str(folder))} && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, "sh")


def _start(command: tuple[str, ...], folder: Path, driver: str, address: str) -> subprocess.Popen[bytes] | None:
    parent = os.getpid()
    daemon = subprocess.Popen(
        [
            *(*command, f"--storage-driver={driver}", "--iptables=false", "--ip6tables=false", "--bridge=none"),
            *("--data-root", str(folder / driver), "--exec-root", str(folder / "exec"), "--group", "0"),
            *("--pidfile", str(folder / f"{driver}.pid"), "-H", address),
        ],
        stdout=(log := (folder / "log").open("ab")),
        stderr=log,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 # two system calls, no lock is taken
    )
    log.close()
    environment = {**os.environ, "DOCKER_HOST": address}
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s and daemon.poll() is None:
        question = ["docker", "version", "--format", "{{.Server.Version}}"]
        if subprocess.run(question, env=environment, capture_output=True, check=False).returncode == 0:
            return daemon
        time.sleep(0.1)
    daemon.kill()
    daemon.wait()
    return None
