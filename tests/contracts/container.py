"""What every launcher that uses containers must do, beyond `ProgramLauncherContract`.

Subclass it and say how the engine is asked; the engine is a real one.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from automl.launch.container import HOME, Caller, ContainerLauncher, container_name
from automl.launch.engine import end_containers
from automl.launch.processes import find_leftovers, read_process
from automl.testing.launchers import TREE, Behaviour, ProgramLauncherContract, unique_tag, wait_for, wait_until_gone
from automl.trial.resource_usage import process_tree
from tests.contracts.engines import IMAGE, PYTHON

if TYPE_CHECKING:
    import pytest

    from automl.launch.base import Job, LaunchRequest
    from automl.study.launch_plan import LauncherKind

_OWNER = Path(__file__).with_name("container_owner.py")
OWNER_LOST_LIMIT_S = 5.0


class ContainerLauncherContract(ProgramLauncherContract):
    """What holds for launchers that run images in an engine."""

    kind: LauncherKind

    def command(self, code: str) -> tuple[str, ...]:
        return (PYTHON, "-S", "-E", "-c", code.replace(sys.executable, PYTHON))

    def adapt(self, request: LaunchRequest) -> LaunchRequest:
        return dataclasses.replace(
            request,
            command=tuple(word.replace("sys.executable", repr(PYTHON)) for word in request.command),
            image=IMAGE,
            writable=(request.directory,),
            options={"network": "none", "shm_size": "64m"},
            credentials=("PROBE",),
        )

    def ask(self, *arguments: str) -> str:
        """Ask the engine's client."""
        done = subprocess.run([self.kind.value, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def containers(self, tag: str) -> str:
        """Return the containers of a trial, running or not."""
        return self.ask("ps", "--all", "--quiet", "--filter", f"label=automl.tag={tag}")

    def wait_until_removed(self, tag: str, limit_s: float) -> None:
        deadline_s = time.monotonic() + limit_s
        while (left := self.containers(tag)) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert not left

    def clients(self, tag: str) -> list[int]:
        """Return the attached clients of a trial's container."""
        name = container_name(tag).encode()
        return [pid for pid in _processes() if {b"--attach", name} <= set(_command_line(pid).split(b"\0"))]

    def start_hanging(self, directory: Path, tag: str, **changes: object) -> Job:
        request = self.request("print('up', flush=True)\n" + Behaviour.HANGS.value, directory, tag)
        job = self.launcher.launch(dataclasses.replace(request, **changes))  # type: ignore[arg-type] # fields by name
        while "up" not in (directory / "log").read_text(encoding="utf-8"):
            assert job.poll() is None
            time.sleep(0.02)
        return job

    def test_the_first_process_of_a_container_is_known_to_whoever_measures_it(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_hanging(tmp_path, tag)

        assert job.pid is not None
        tree = process_tree(job.pid)
        job.kill(grace_s=0.0)

        assert len(tree) >= 1
        assert self.clients(tag) == []
        assert not any(b"--attach" in _command_line(pid) for pid in tree)

    def test_a_container_is_named_and_labelled_by_study_and_trial(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_hanging(tmp_path, tag)

        labels = self.ask("inspect", "--format", "{{json .Config.Labels}}", container_name(tag))

        for label in (tag.split("/")[0], '"automl.trial":"0000"', '"automl.attempt":"1"', f'"automl.tag":"{tag}"'):
            assert label in labels
        job.kill(grace_s=0.0)
        assert not self.containers(tag)

    def test_no_container_and_no_scratch_is_left_by_a_job_that_has_ended(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.launcher.launch(self.request("print(1)", tmp_path, tag))

        assert wait_for(job) == 0

        assert not self.containers(tag)
        assert not (tmp_path / HOME).exists()

    def test_a_running_container_is_dead_and_gone_within_the_limit_of_a_local_trial(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_hanging(tmp_path, tag)

        started_s = time.monotonic()
        job.kill(grace_s=0.0)

        # 0.5 s on an idle machine; these tests run beside others.
        assert time.monotonic() - started_s < 8.0
        assert not find_leftovers(tag)
        assert not self.containers(tag)

    def test_home_and_every_cache_are_writable_below_the_trials_folder(self, tmp_path: Path) -> None:
        names = "HOME XDG_CACHE_HOME HF_HOME TORCH_HOME TRITON_CACHE_DIR TORCHINDUCTOR_CACHE_DIR MPLCONFIGDIR"
        code = (
            f"import os\nfor name in {names.split()!r}:\n"
            "    open(os.environ[name] + '/probe', 'w').close()\n    print(os.environ[name])\nprint(os.environ['USER'])"
        )

        assert wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag()))) == 0

        folders = (tmp_path / "log").read_text(encoding="utf-8").split()
        assert len(folders) == len(names.split()) + 1
        assert all(folder.startswith(f"{tmp_path}/") for folder in folders[:-1])

    def test_data_cannot_be_written_and_nothing_else_is_there(self, tmp_path: Path) -> None:
        data, other, job = (tmp_path / name for name in ("data", "other", "job"))
        for folder in (data, other, job):
            folder.mkdir()
        code = (
            f"import os\nprint(os.path.exists({str(other)!r}), os.path.exists({str(_OWNER)!r}))\n"
            f"try:\n    open({str(data / 'new')!r}, 'w')\nexcept OSError as error:\n    print(error.errno)"
        )
        request = dataclasses.replace(self.request(code, job, unique_tag()), read_only=(data,), writable=(job,))

        wait_for(self.launcher.launch(request))

        assert (job / "log").read_text(encoding="utf-8").split() == ["False", "False", "30"]

    def test_a_credential_arrives_and_stands_in_no_argument_list(self, tmp_path: Path) -> None:
        tag, secret = unique_tag(), f"secret-{os.getpid()}"
        request = self.request(
            "import os; print(os.environ['PROBE'], flush=True)\n" + Behaviour.HANGS.value, tmp_path, tag
        )
        job = self.launcher.launch(
            dataclasses.replace(request, environment={**request.environment, "PROBE": secret, "OTHER_SECRET": "x"})
        )
        while secret not in (tmp_path / "log").read_text(encoding="utf-8"):
            assert job.poll() is None
            time.sleep(0.02)

        assert not any(secret.encode() in _command_line(pid) for pid in _processes())
        assert "OTHER_SECRET" not in self.ask("inspect", container_name(tag))
        job.kill(grace_s=0.0)

    def test_nothing_of_the_machine_leaks_into_the_environment(self, tmp_path: Path) -> None:
        code = "import os; print('PYTHONPATH' in os.environ, os.environ['PATH'], os.environ['OMP_NUM_THREADS'])"

        wait_for(self.launcher.launch(self.request(code, tmp_path, unique_tag())))

        assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["False", "/opt/python/bin:/bin", "1"]

    def test_what_a_container_writes_belongs_to_the_caller_and_groups(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller = Caller(uid=12345, gid=12346, groups=(12347, 12348), name="ada")
        monkeypatch.setattr("automl.launch.container.find_caller", lambda: caller)
        os.chown(tmp_path, caller.uid, caller.gid)
        code = (
            "import os; open('result', 'w').close(); print(*sorted({os.getgid(), *os.getgroups()}), os.environ['USER'])"
        )

        launcher = ContainerLauncher(self.kind)
        assert wait_for(launcher.launch(self.request(code, tmp_path, unique_tag()))) == 0
        launcher.close()

        written = (tmp_path / "result").stat()
        assert (written.st_uid, written.st_gid) == (caller.uid, caller.gid)
        assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["12346", "12347", "12348", "ada"]

    def test_out_of_memory_is_read_from_the_engine(self, tmp_path: Path) -> None:
        request = self.request("x = bytearray(300 << 20)", tmp_path, unique_tag())
        job = self.launcher.launch(dataclasses.replace(request, options={**request.options, "memory": "60m"}))

        assert wait_for(job) == -signal.SIGKILL

        assert job.external_end is not None
        assert job.external_end.is_out_of_memory
        assert not job.was_lost
        assert job.external_end.reason in (tmp_path / "log").read_text(encoding="utf-8")

    def test_a_container_killed_from_outside_is_a_loss_of_infrastructure(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_hanging(tmp_path, tag)

        self.ask("kill", container_name(tag))

        assert wait_for(job) == -signal.SIGKILL
        self.assert_lost(job, tmp_path, "killed from outside")

    def test_a_container_removed_from_outside_is_a_loss_of_infrastructure(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_hanging(tmp_path, tag)

        self.ask("rm", "--force", container_name(tag))

        assert wait_for(job) == -signal.SIGKILL
        self.assert_lost(job, tmp_path, "")

    def assert_lost(self, job: Job, directory: Path, words: str) -> None:
        assert job.was_lost
        assert job.external_end is not None
        assert words in job.external_end.reason
        assert job.external_end.reason in (directory / "log").read_text(encoding="utf-8")

    def test_the_container_goes_when_its_supervisor_is_killed(self, tmp_path: Path) -> None:
        tag = unique_tag()
        job = self.start_hanging(tmp_path, tag)
        [client] = self.clients(tag)

        os.kill(supervisor_of(client), signal.SIGKILL)

        assert wait_for(job) == -signal.SIGKILL
        assert not self.containers(tag)
        assert not Path(f"/proc/{client}").exists() or "Z" in Path(f"/proc/{client}/stat").read_text(encoding="ascii")

    def test_the_container_goes_within_seconds_when_its_owner_is_killed(self, tmp_path: Path) -> None:
        tag = unique_tag()
        with self.owner(tag, tmp_path) as owner:
            os.kill(owner.pid, signal.SIGKILL)

        self.wait_until_removed(tag, OWNER_LOST_LIMIT_S)
        wait_until_gone(tag, limit_s=1.0)

    def test_what_owner_and_supervisor_leave_behind_is_found_by_its_label(self, tmp_path: Path) -> None:
        tag = unique_tag()
        with self.owner(tag, tmp_path) as owner:
            supervisor = supervisor_of(self.clients(tag)[0])
            os.kill(owner.pid, signal.SIGSTOP)
            os.kill(supervisor, signal.SIGKILL)
            os.kill(owner.pid, signal.SIGKILL)
        assert self.containers(tag)

        assert end_containers(self.kind, tag.split("/")[0]) == 1

        assert not self.containers(tag)
        assert not find_leftovers(tag)

    def owner(self, tag: str, directory: Path) -> subprocess.Popen[str]:
        """Start a process that owns a job whose tree is complete."""
        code = TREE.replace("sys.executable", repr(PYTHON))
        command = [sys.executable, str(_OWNER), self.kind.value, tag, str(directory), code]
        owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"
        return owner


def supervisor_of(client: int) -> int:
    """Return the process that has started an attached client."""
    process = read_process(client)
    assert process is not None
    return process.parent


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
