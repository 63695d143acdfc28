from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.launch.base import LaunchRequest
from automl.launch.command import trial_environment
from automl.launch.control import open_log
from automl.launch.local import LocalLauncher, WarmLauncher, find_servable
from automl.testing.launchers import (
    TREE,
    Behaviour,
    ProcessLauncherContract,
    server_of,
    unique_tag,
    wait_for,
    wait_until_gone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = Path(__file__).parent / "owner.py"


class TestLocalLauncher(ProcessLauncherContract):
    @pytest.fixture(autouse=True)
    def _launch(self) -> Iterator[None]:
        self.launcher = LocalLauncher()
        yield
        self.launcher.close()

    def command(self, code: str) -> tuple[str, ...]:
        return (sys.executable, "-S", "-E", "-c", code)


def test_a_tree_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    tag = unique_tag()
    with subprocess.Popen(
        [sys.executable, OWNER, tag, str(tmp_path), TREE],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"

        os.kill(owner.pid, signal.SIGKILL)

    wait_until_gone(tag, limit_s=20.0)


PROGRAM = """
import sys
imported = 0
def preload():
    global imported
    imported += 1
def main():
    import builtins
    exec(sys.argv[1], {"__name__": "job", "imported": imported})
"""


def install_program(root: Path, monkeypatch: pytest.MonkeyPatch, source: str = PROGRAM) -> Path:
    """Install a console script `toy-trainer` as `pip install --target` would, in a folder of its own."""
    scripts, package = root / "bin", root / "site"
    for folder in (scripts, package / "toy_trainer-1.0.dist-info"):
        folder.mkdir(parents=True)
    (package / "toy_trainer.py").write_text(source, encoding="utf-8")
    metadata = package / "toy_trainer-1.0.dist-info"
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-trainer\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[console_scripts]\ntoy-trainer = toy_trainer:main\n", encoding="utf-8")
    script = scripts / "toy-trainer"
    script.write_text(f"#!{sys.executable}\nimport toy_trainer\ntoy_trainer.main()\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.syspath_prepend(str(package))
    # An empty entry would mean the working directory, which server and trial do not share.
    inherited = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package), *inherited]))
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    return scripts


DIRTY = """
import locale, os, random, resource, signal, sys, time
os.umask(0o022 ^ os.umask(0)); os.chdir("/"); os.environ["TZ"] = "Asia/Tokyo"; time.tzset(); os.nice(3)
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
random.seed(1); sys.setrecursionlimit(5000); sys.path.append("leak"); sys.modules["leak"] = sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); open(sys.executable)
"""
PROBE = """
import gc, json, locale, os, resource, signal, sys, threading, time
umask = os.umask(0)
print(json.dumps({
    "environment": dict(sorted(os.environ.items())), "directory": os.getcwd(), "umask": umask, "nice": os.nice(0),
    "arguments": sys.argv[1:] == [sys.argv[1]], "path": sys.path, "files": sorted(os.listdir("/proc/self/fd")),
    "handlers": {str(n): str(signal.getsignal(n)) for n in signal.valid_signals() if n != signal.SIGINT},
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "wakeup": signal.set_wakeup_fd(-1),
    "limits": {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT")},
    "recursion": sys.getrecursionlimit(), "threads": threading.active_count(), "zone": time.strftime("%Z"),
    "leader": os.getsid(0) == os.getpid(), "cores": sorted(os.sched_getaffinity(0)), "collects": gc.isenabled(),
    "leak": "leak" in sys.modules, "encoding": [sys.stdout.encoding, locale.getpreferredencoding()],
    "oom": open("/proc/self/oom_score_adj").read(),
}))
"""


class TestWarmLauncher(ProcessLauncherContract):
    @pytest.fixture(autouse=True)
    def _launch(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        root = tmp_path_factory.mktemp("program")
        install_program(root, monkeypatch)
        self.log = root / "server.log"
        self.launcher = WarmLauncher(secrets.token_hex(8), "toy-trainer", log=self.log)
        yield
        self.launcher.close()

    def command(self, code: str) -> tuple[str, ...]:
        return ("toy-trainer", code)

    def test_a_job_finds_what_was_preloaded_once(self, tmp_path: Path) -> None:
        for _ in range(2):
            wait_for(self.launcher.launch(self.request("print(imported)", tmp_path, unique_tag())))

        assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["1", "1"]

    def test_main_is_the_console_script(self, tmp_path: Path) -> None:
        code = "import sys; print(sys.modules['__main__'].__file__ == sys.argv[0], sys.modules['__main__'].__spec__)"

        wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["True", "None"]

    def test_a_job_after_an_unruly_one_is_like_a_cold_one(self, tmp_path: Path) -> None:
        cold = LocalLauncher()
        documents = []
        runs = (("unruly", self.launcher, DIRTY), ("warm", self.launcher, PROBE), ("cold", cold, PROBE))
        for name, launcher, code in runs:
            folder = tmp_path / name
            folder.mkdir()
            tag = unique_tag()
            request = self.request(code, folder, tag)
            request = replace(request, environment={**request.environment, "TZ": "Europe/Rome"})
            assert wait_for(launcher.launch(request)) == 0, (folder / "log").read_text()
            if code is PROBE:
                text = (folder / "log").read_text(encoding="utf-8").replace(tag, "TAG").replace(str(folder), "FOLDER")
                documents.append(json.loads(text))
        cold.close()

        assert documents[0] == documents[1]

    def test_two_jobs_do_not_draw_the_same_random_numbers(self, tmp_path: Path) -> None:
        for _ in range(2):
            code = "import random; print(random.random())"
            wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        first, second = (tmp_path / "log").read_text(encoding="utf-8").split()
        assert first != second

    def test_strings_have_the_same_hash_as_in_a_cold_start(self, tmp_path: Path) -> None:
        look = "print(hash('a'), flush=True)"
        code = f"import subprocess, sys; {look}; subprocess.run([sys.executable, '-c', {look!r}])"

        wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        warm, cold = (tmp_path / "log").read_text(encoding="utf-8").split()
        assert warm == cold

    def test_an_uncaught_error_ends_the_log_without_our_own_frames(self, tmp_path: Path) -> None:
        status = wait_for(self.launcher.launch(self.request("raise ValueError('bad')", tmp_path, unique_tag())))

        log = (tmp_path / "log").read_text(encoding="utf-8")
        assert status == 1
        assert log.splitlines()[-1] == "ValueError: bad"
        assert "server.py" not in log

    def test_what_is_due_at_the_end_of_a_program_is_done(self, tmp_path: Path) -> None:
        code = (
            "import atexit, sys, threading, time\n"
            "atexit.register(print, 'at exit')\n"
            "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
            "sys.exit('a reason')"
        )

        status = wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        assert status == 1
        assert (tmp_path / "log").read_text(encoding="utf-8").splitlines() == ["a reason", "thread", "at exit"]

    def test_launchers_of_one_session_share_the_server(self, tmp_path: Path) -> None:
        session = secrets.token_hex(8)
        launchers = [WarmLauncher(session, "toy-trainer") for _ in range(2)]
        jobs = [item.launch(self.request(Behaviour.HANGS.value, tmp_path, unique_tag())) for item in launchers]

        servers = {server_of(job) for job in jobs}

        assert len(servers) == 1
        for job, launcher in zip(jobs, launchers, strict=True):
            job.kill(grace_s=0.0)
            launcher.close()

    def test_another_command_starts_cold(self, tmp_path: Path) -> None:
        warm = self.launcher.launch(self.request(Behaviour.HANGS.value, tmp_path, unique_tag()))
        request = LaunchRequest(
            command=(sys.executable, "-c", "import time; time.sleep(300)"),
            directory=tmp_path,
            environment=trial_environment(os.environ, tag="cold/0/1"),
            log=tmp_path / "log",
            tag="cold/0/1",
        )

        cold = self.launcher.launch(request)

        assert server_of(cold) != server_of(warm)
        for job in (warm, cold):
            job.kill(grace_s=0.0)

    def test_a_variable_that_is_read_at_start_makes_the_job_cold(self, tmp_path: Path) -> None:
        request = self.request("print(imported)", tmp_path, unique_tag())
        changed = LaunchRequest(
            command=request.command,
            directory=tmp_path,
            environment={**request.environment, "HF_HOME": str(tmp_path)},
            log=request.log,
            tag=request.tag,
        )

        wait_for(self.launcher.launch(changed))

        assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["0"]


def test_a_program_that_cannot_be_preloaded_starts_cold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = PROGRAM.replace("imported += 1", "raise ImportError('no such library')")
    install_program(tmp_path, monkeypatch, broken)
    tag = unique_tag()
    request = LaunchRequest(
        command=("toy-trainer", "print('cold')"),
        directory=tmp_path,
        environment=trial_environment(os.environ, tag=tag),
        log=tmp_path / "log",
        tag=tag,
    )
    launcher = WarmLauncher(secrets.token_hex(8), "toy-trainer", log=tmp_path / "server.log")

    with caplog.at_level(logging.WARNING):
        assert wait_for(launcher.launch(request)) == 0

    launcher.close()
    assert "trials start cold from now on" in caplog.text
    assert "no such library" in (tmp_path / "server.log").read_text(encoding="utf-8")


def test_only_console_scripts_of_this_environment_are_servable() -> None:
    assert find_servable("automl")
    assert not find_servable("bash")
    assert not find_servable("no-such-program")


def test_a_script_elsewhere_is_servable_only_if_this_interpreter_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = install_program(tmp_path, monkeypatch)
    assert find_servable("toy-trainer")

    (scripts / "toy-trainer").write_text("#!/usr/bin/env python3\n", encoding="utf-8")

    assert not find_servable("toy-trainer")


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_log_that_is_no_file_is_not_written_to(tmp_path: Path, kind: str) -> None:
    log = tmp_path / "evaluate_with.log"
    (tmp_path / "other").write_text("as it was", encoding="utf-8")
    if kind == "pipe":
        os.mkfifo(log)
    else:
        log.symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match="evaluate_with"):
        open_log(log)

    assert (tmp_path / "other").read_text(encoding="utf-8") == "as it was"


def test_a_log_that_is_a_second_name_of_another_file_is_not_written_by_a_new_job(tmp_path: Path) -> None:
    (tmp_path / "other.log").write_text("of another trial", encoding="utf-8")
    (tmp_path / "train.log").hardlink_to(tmp_path / "other.log")

    with pytest.raises(FileExistsError, match="a second name of another file"):
        open_log(tmp_path / "train.log", is_new=True)
    os.close(open_log(tmp_path / "train.log"))  # a log that several runs write may be in a backup
