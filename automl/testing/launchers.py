"""What every launcher must do.

`LauncherContract` holds for all, `ProgramLauncherContract` for those that start programs, `ProcessLauncherContract` for
those whose programs run under a supervisor in this environment; `tests.contracts.container` has the one for containers.
Subclass one and implement its abstract methods. docs/reference/launchers.md shows which launcher passes what.
"""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import time
from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.launch.base import LaunchRequest
from automl.launch.command import trial_environment
from automl.launch.processes import descendants, find_leftovers, read_process

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from automl.launch.base import Job, Launcher
    from automl.launch.processes import Process

TREE = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
python = [sys.executable, "-S", "-E", "-c"]
subprocess.Popen([*python, sleep])
subprocess.Popen([*python, sleep], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(300)
    os._exit(0)
print("grown", flush=True)
time.sleep(300)
"""
"""A trainer that ignores SIGTERM, has a child, a child in another session and a daemon. Five processes in all."""
TREE_SIZE = 4


class Behaviour(Enum):
    """What a job does."""

    SUCCEEDS = "raise SystemExit(0)"
    FAILS = "raise SystemExit(3)"
    CRASHES = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    PRINTS = "import sys; print('to stdout'); print('to stderr', file=sys.stderr)"
    HANGS = "import time; time.sleep(300)"


def wait_for(job: Job, limit_s: float = 30.0) -> int | None:
    """Return a job's exit status, or None when it does not end in time."""
    deadline_s = time.monotonic() + limit_s
    while (status := job.poll()) is None and time.monotonic() < deadline_s:
        time.sleep(0.005)
    return status


def wait_until_gone(tag: str, limit_s: float) -> float:
    """Wait until no process has the tag; return how long that took in seconds."""
    started_s = time.monotonic()
    while (left := find_leftovers(tag)) and time.monotonic() < started_s + limit_s:
        time.sleep(0.02)
    assert not left
    return time.monotonic() - started_s


def wait_for_end(processes: Iterable[Process], limit_s: float) -> None:
    """Wait until none of the processes lives."""
    deadline_s = time.monotonic() + limit_s
    while living := [process for process in processes if is_alive(process)]:
        assert time.monotonic() < deadline_s, living
        time.sleep(0.02)


def is_alive(process: Process) -> bool:
    """Return whether a process that was read from the table still runs."""
    now = read_process(process.pid)
    return now is not None and now.start == process.start


class LauncherContract(ABC):
    """What holds for every launcher."""

    @abstractmethod
    def start(self, behaviour: Behaviour, directory: Path) -> Job:
        """Start a job that behaves so; its log is ``directory / "log"``."""

    @abstractmethod
    def start_impossible(self, directory: Path) -> Job:
        """Start a job whose program does not exist."""

    @pytest.mark.parametrize(("behaviour", "status"), [(Behaviour.SUCCEEDS, 0), (Behaviour.FAILS, 3)])
    def test_the_exit_status_is_the_programs_own(self, behaviour: Behaviour, status: int, tmp_path: Path) -> None:
        job = self.start(behaviour, tmp_path)

        assert wait_for(job) == status, (tmp_path / "log").read_text(encoding="utf-8")
        assert job.poll() == status

    def test_output_and_errors_are_appended_to_the_log(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("earlier\n", encoding="utf-8")

        wait_for(self.start(Behaviour.PRINTS, tmp_path))

        lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
        assert lines[0] == "earlier"
        assert set(lines[1:]) == {"to stdout", "to stderr"}

    def test_a_job_runs_until_it_is_killed(self, tmp_path: Path) -> None:
        job = self.start(Behaviour.HANGS, tmp_path)

        assert wait_for(job, limit_s=0.3) is None
        job.kill(grace_s=1.0)
        assert job.poll() == -signal.SIGTERM

    def test_killing_again_or_after_the_end_is_no_error(self, tmp_path: Path) -> None:
        job = self.start(Behaviour.FAILS, tmp_path)
        wait_for(job)

        job.kill(grace_s=0.0)
        job.kill(grace_s=0.0)

        assert job.poll() == 3

    def test_a_program_that_does_not_exist_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(LaunchError, match="no-such-program"):
            self.start_impossible(tmp_path)


class ProgramLauncherContract(LauncherContract):
    """What holds for launchers that start programs, wherever they run."""

    launcher: Launcher

    @abstractmethod
    def command(self, code: str) -> tuple[str, ...]:
        """Return the command that runs a piece of Python."""

    @property
    def inherited(self) -> dict[str, str]:
        """The environment that jobs are made from."""
        return dict(os.environ)

    def request(self, code: str, directory: Path, tag: str = "contract/0/1") -> LaunchRequest:
        return self.adapt(
            LaunchRequest(
                command=self.command(code),
                directory=directory,
                environment=trial_environment(self.inherited, tag=tag, extra={"PROBE": "a b"}),
                log=directory / "log",
                tag=tag,
            )
        )

    def adapt(self, request: LaunchRequest) -> LaunchRequest:
        """Return a request with what this launcher needs in addition."""
        return request

    def start(self, behaviour: Behaviour, directory: Path) -> Job:
        return self.launcher.launch(self.request(behaviour.value, directory, unique_tag()))

    def start_impossible(self, directory: Path) -> Job:
        request = self.request("", directory, unique_tag())
        return self.launcher.launch(dataclasses.replace(request, command=("no-such-program",)))

    def tree_of(self, job: Job, tag: str) -> list[Process]:
        """Return the processes of a job."""
        del job
        return find_leftovers(tag)

    def start_tree(self, directory: Path, tag: str) -> Job:
        """Start `TREE` and wait until it has all of its processes."""
        log = directory / "log"
        job = self.launcher.launch(self.request(TREE, directory, tag))
        while (
            not log.exists()
            or "grown" not in log.read_text(encoding="utf-8")
            or len(self.tree_of(job, tag)) < TREE_SIZE
        ):
            assert job.poll() is None
            time.sleep(0.02)
        return job

    def test_a_crash_is_a_negative_status(self, tmp_path: Path) -> None:
        assert wait_for(self.start(Behaviour.CRASHES, tmp_path)) == -signal.SIGSEGV

    def test_directory_environment_and_arguments_are_those_of_the_request(self, tmp_path: Path) -> None:
        code = (
            "import os, sys; print(os.getcwd(), os.environ['PROBE'], os.environ.get('RAY_X'), sys.stdin.read() == '')"
        )

        wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        assert (tmp_path / "log").read_text(encoding="utf-8").split() == [str(tmp_path), "a", "b", "None", "True"]

    def test_nothing_leaks_from_one_job_to_the_next(self, tmp_path: Path) -> None:
        change = "import os, sys, builtins; os.environ['LEAK'] = '1'; sys.path.append('leak'); builtins.leak = 1"
        look = "import os, sys, builtins; print(os.environ.get('LEAK'), 'leak' in sys.path, hasattr(builtins, 'leak'))"

        wait_for(self.launcher.launch(self.request(change, tmp_path, unique_tag())))
        wait_for(self.launcher.launch(self.request(look, tmp_path, unique_tag())))

        assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["None", "False", "False"]

    def test_a_job_has_no_open_files_of_the_launcher(self, tmp_path: Path) -> None:
        code = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4])"

        wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        assert (tmp_path / "log").read_text(encoding="utf-8").strip() == "[0, 1, 2, 3]"

    def test_the_log_grows_while_the_job_runs(self, tmp_path: Path) -> None:
        code = "import time; print('first', flush=True); time.sleep(300)"
        job = self.launcher.launch(self.request(code, tmp_path, unique_tag()))

        deadline_s = time.monotonic() + 20.0
        while "first" not in (tmp_path / "log").read_text(encoding="utf-8") and time.monotonic() < deadline_s:
            time.sleep(0.02)

        assert "first" in (tmp_path / "log").read_text(encoding="utf-8")
        assert job.poll() is None
        job.kill(grace_s=0.0)

    def test_data_are_read_and_results_written_at_their_own_paths(self, tmp_path: Path) -> None:
        data = tmp_path / "data, with a comma"
        data.mkdir()
        (data / "sample").write_text("content", encoding="utf-8")
        job = tmp_path / "job"
        job.mkdir()
        code = f"text = open({str(data / 'sample')!r}).read(); open('result', 'w').write(text)"
        request = dataclasses.replace(self.request(code, job, unique_tag()), read_only=(data,), writable=(job,))

        assert wait_for(self.launcher.launch(request)) == 0

        assert (job / "result").read_text(encoding="utf-8") == "content"
        assert (job / "result").stat().st_uid == os.getuid()

    def test_the_whole_tree_is_killed_though_it_ignores_sigterm(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_tree(tmp_path, tag)
        tree = self.tree_of(job, tag)

        started_s = time.monotonic()
        job.kill(grace_s=0.1)

        assert time.monotonic() - started_s < 5.0
        assert job.poll() == -signal.SIGKILL
        assert not [process for process in tree if is_alive(process)]
        assert not find_leftovers(tag)

    def test_what_a_finished_program_leaves_behind_is_ended(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.launcher.launch(self.request(TREE.replace("time.sleep(300)\n", "os._exit(4)\n"), tmp_path, tag))

        assert wait_for(job) == 4
        assert not find_leftovers(tag)

    def test_a_job_may_save_its_work_within_the_grace(self, tmp_path: Path) -> None:
        # Not `print`: a handler that runs before the first one has returned may not write to the same stream.
        code = (
            "import os, signal, sys, time\n"
            "def save(*_):\n    os.write(1, b'saved'); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, save)\nos.write(1, b'ready')\ntime.sleep(300)"
        )
        job = self.launcher.launch(self.request(code, tmp_path, unique_tag()))
        while "ready" not in (tmp_path / "log").read_text(encoding="utf-8"):
            time.sleep(0.01)

        job.kill(grace_s=60.0)

        assert job.poll() == 0
        assert "saved" in (tmp_path / "log").read_text(encoding="utf-8")


class ProcessLauncherContract(ProgramLauncherContract):
    """What holds for launchers whose programs run under a supervisor, in this environment."""

    def tree_of(self, job: Job, tag: str) -> list[Process]:
        """Return the processes of a job; a supervisor is a subreaper, so all of them are below it."""
        del tag
        return descendants(supervisor_of(job))

    def test_a_job_leads_a_session_of_its_own(self, tmp_path: Path) -> None:
        code = "import os; print(os.getsid(0) == os.getpid() == os.getpgid(0))"

        wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        assert (tmp_path / "log").read_text(encoding="utf-8").strip() == "True"

    def test_a_tree_does_not_outlive_its_supervisor(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_tree(tmp_path, tag)
        tree = self.tree_of(job, tag)

        os.kill(supervisor_of(job), signal.SIGKILL)

        wait_for_end(tree, limit_s=20.0)
        assert wait_for(job) == -signal.SIGKILL

    def test_a_tree_does_not_outlive_the_server(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_tree(tmp_path, tag)
        tree = self.tree_of(job, tag)

        os.kill(server_of(job), signal.SIGKILL)

        wait_for_end(tree, limit_s=20.0)
        assert wait_for(job) == -signal.SIGKILL

    def test_a_tree_is_killed_though_its_supervisor_hangs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("automl.launch.job._KILL_LIMIT_S", 0.2)
        job = self.start(Behaviour.HANGS, tmp_path)
        tree, supervisor = self.tree_of(job, ""), supervisor_of(job)
        os.kill(supervisor, signal.SIGSTOP)

        job.kill(grace_s=0.0)

        assert (job.poll(), job.was_lost) == (-signal.SIGKILL, True)
        os.kill(supervisor, signal.SIGKILL)  # a stopped one does not collect its children
        wait_for_end(tree, limit_s=20.0)

    def test_jobs_start_again_after_the_server_was_killed(self, tmp_path: Path) -> None:
        job = self.start(Behaviour.HANGS, tmp_path)
        os.kill(server_of(job), signal.SIGKILL)
        wait_for(job)

        assert wait_for(self.start(Behaviour.FAILS, tmp_path)) == 3

    def test_no_healthy_job_is_lost_when_its_neighbours_are_killed(self, tmp_path: Path) -> None:
        self.kill_neighbours(tmp_path, rounds=12)

    @pytest.mark.slow
    def test_no_healthy_job_is_lost_among_hundreds_of_kills(self, tmp_path: Path) -> None:
        self.kill_neighbours(tmp_path, rounds=300)

    def kill_neighbours(self, directory: Path, rounds: int) -> None:
        """Run healthy jobs that fork all the time while others are killed, half of them by their supervisor."""
        healthy = (
            "import os\nfor _ in range(40):\n    pid = os.fork() or os._exit(0)\n    os.waitpid(pid, 0)\nos._exit(7)"
        )
        chance = random.Random(7)  # noqa: S311 # moments of kills
        tag = unique_tag()
        for _ in range(rounds):
            jobs = [self.launcher.launch(self.request(healthy, directory, f"{tag}/healthy")) for _ in range(2)]
            victim = self.launcher.launch(self.request(Behaviour.HANGS.value, directory, f"{tag}/victim"))
            time.sleep(chance.uniform(0.0, 0.03))
            if chance.random() < 0.5:
                os.kill(supervisor_of(victim), signal.SIGKILL)
            victim.kill(grace_s=0.0)
            assert [wait_for(job) for job in jobs] == [7, 7]
        assert not find_leftovers(tag)


_COUNTER = iter(range(1_000_000))


def unique_tag() -> str:
    """Return a tag that no other test uses."""
    return f"contract-{os.getpid()}-{next(_COUNTER)}/0000/1"


def supervisor_of(job: Job) -> int:
    """Return the process id of a job's supervisor."""
    assert job.pid is not None
    process = read_process(job.pid)
    assert process is not None
    return process.parent


def server_of(job: Job) -> int:
    """Return the process id of the server that forked a job's supervisor."""
    supervisor = read_process(supervisor_of(job))
    assert supervisor is not None
    return supervisor.parent
