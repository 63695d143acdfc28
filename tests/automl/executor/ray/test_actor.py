from __future__ import annotations

import pickle
import signal
from typing import TYPE_CHECKING, Any

import pytest
import ray

from automl.executor.ray import actor as ray_actor
from automl.executor.ray.actor import (
    LAUNCHER,
    MEASUREMENTS,
    RESULT,
    TASK,
    RecordingLauncher,
    TrialActor,
)
from automl.executor.ray.nodes import LauncherChoice
from automl.launch.base import LaunchRequest
from automl.launch.local import LocalLauncher, WarmLauncher
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.launch_plan import LauncherKind
from automl.study.trial import FailureKind, Measurement, Proposal, TrialResult, TrialState
from automl.trial.attempts import Start
from automl.trial.task import build_task
from tests.automl.executor.toy_study import toy_plan
from tests.scripted_launcher import Script, ScriptedLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHOICE = LauncherChoice(kind=LauncherKind.LOCAL, session="s", program="python", log="")


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> Iterator[TrialActor]:
    """An actor outside Ray, in this process."""
    monkeypatch.setattr(ray_actor, "die_with_parent", lambda _: None)
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: [3])
    made: TrialActor = object.__new__(TrialActor)
    made.setup({LAUNCHER: pickle.dumps(CHOICE)})
    yield made
    made.cleanup()


def run(actor: TrialActor, root: Path, number: int, mode: str) -> tuple[list[Measurement], TrialResult]:
    """Run one trial as Ray would; return what was measured and how it ended."""
    plan = toy_plan(root / "skill", trials=1)
    proposal = Proposal(number=number, assignment={"mode": mode}, origin=Origin(OriginKind.GIVEN))
    actor.config = {TASK: pickle.dumps(build_task(plan, StudyPaths(root), proposal, Start()))}
    actor.reset_config(actor.config)
    measured: list[Measurement] = []
    while True:
        answer: dict[str, Any] = actor.step()
        measured += pickle.loads(answer[MEASUREMENTS])  # noqa: S301 # our own bytes
        if answer["done"]:
            result: TrialResult = pickle.loads(answer[RESULT])  # noqa: S301 # our own bytes
            return measured, result


def test_one_actor_runs_one_trial_after_the_other(actor: TrialActor, tmp_path: Path) -> None:
    first, failed = run(actor, tmp_path, 0, "fail")
    second, completed = run(actor, tmp_path, 1, "good")

    assert (failed.state, completed.state) == (TrialState.FAILED, TrialState.COMPLETED)
    assert not any("val/d1" in measurement.values for measurement in first)
    assert [m.epoch for m in second if "val/d1" in m.values] == [0, 1, 2]


def test_a_trial_is_given_the_devices_of_its_actor(actor: TrialActor, tmp_path: Path) -> None:
    _, result = run(actor, tmp_path, 0, "good")

    assert result.state is TrialState.COMPLETED
    assert actor.task.command.gpus == ("3",)


def test_an_error_of_our_own_is_a_result_and_not_the_end_of_the_actor(
    actor: TrialActor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> TrialResult:
        raise RuntimeError("a defect")

    monkeypatch.setattr(ray_actor, "run_trial", fail)
    _, broken = run(actor, tmp_path, 0, "good")
    monkeypatch.undo()

    assert (broken.state, broken.failure) == (TrialState.FAILED, FailureKind.INFRASTRUCTURE)
    assert "RuntimeError: a defect" in broken.reason
    assert "in fail" in "\n".join(broken.log_tail)


def test_the_launcher_is_the_one_that_was_chosen() -> None:
    warm = LauncherChoice(kind=LauncherKind.WARM, session="s", program="no-such-program", log="")

    assert isinstance(CHOICE.make(), LocalLauncher)
    assert isinstance(warm.make(), WarmLauncher)


def request_in(directory: Path) -> LaunchRequest:
    return LaunchRequest(command=("x",), directory=directory, environment={}, log=directory / "log", tag="r/0/1")


def test_every_job_of_a_trial_is_ended(tmp_path: Path) -> None:
    launcher = RecordingLauncher(ScriptedLauncher(lambda _: Script(exit_status=None)))
    jobs = [launcher.launch(request_in(tmp_path)) for _ in range(2)]

    launcher.kill_all()

    assert [job.poll() for job in jobs] == [-signal.SIGTERM] * 2
