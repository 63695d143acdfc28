from __future__ import annotations

from typing import TYPE_CHECKING

from automl.launch.base import LaunchRequest
from automl.testing.launchers import Behaviour, LauncherContract, wait_for
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

    from automl.launch.base import Job

SCRIPTS = {
    Behaviour.SUCCEEDS: Script(),
    Behaviour.FAILS: Script(exit_status=3),
    Behaviour.PRINTS: Script(writes=(ScriptedWrite(text="to stdout\n"), ScriptedWrite(text="to stderr\n"))),
    Behaviour.HANGS: Script(exit_status=None),
}


def request_in(directory: Path) -> LaunchRequest:
    return LaunchRequest(
        command=("no-such-program",), directory=directory, environment={}, log=directory / "log", tag="scripted/0/1"
    )


class TestScriptedLauncher(LauncherContract):
    def start(self, behaviour: Behaviour, directory: Path) -> Job:
        return ScriptedLauncher(lambda _: SCRIPTS[behaviour]).launch(request_in(directory))

    def start_impossible(self, directory: Path) -> Job:
        return ScriptedLauncher(lambda _: Script(start_error="not there")).launch(request_in(directory))

    def test_a_declared_line_appears_in_its_file_when_its_time_has_come(self, tmp_path: Path) -> None:
        writes = (
            ScriptedWrite(text="1\n", file="status.json"),
            ScriptedWrite(text="2\n", at_s=0.2, file="status.json"),
        )
        job = ScriptedLauncher(lambda _: Script(writes=writes, ends_at_s=0.2)).launch(request_in(tmp_path))

        job.poll()
        early = (tmp_path / "status.json").read_text(encoding="utf-8")
        wait_for(job)

        assert early == "1\n"
        assert (tmp_path / "status.json").read_text(encoding="utf-8") == "1\n2\n"

    def test_a_killed_job_writes_no_more(self, tmp_path: Path) -> None:
        script = Script(writes=(ScriptedWrite(text="late\n", at_s=0.05),), exit_status=0, ends_at_s=0.05)
        launcher = ScriptedLauncher(lambda _: script)
        job = launcher.launch(request_in(tmp_path))

        job.kill(grace_s=0.0)
        wait_for(job)

        assert not (tmp_path / "log").exists()
        assert [request.tag for request in launcher.requests] == ["scripted/0/1"]
