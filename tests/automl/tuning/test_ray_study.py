from __future__ import annotations

import contextlib
import logging
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from automl.errors import LaunchError
from automl.launch.leftovers import find_leftovers
from automl.study.directory import StudyDirectory
from automl.study.trial import FailureKind, TrialState
from automl.tuning import ray_study
from automl.tuning.ray_study import execute_study
from automl.tuning.trial_tasks import study_tag
from tests.automl.tuning.toy_study import ListSearcher, ListTracker, ThresholdRule, toy_location, toy_plan

if TYPE_CHECKING:
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

MODES = ("good", "nan", "fail", "hang", "deaf", "good")
RAY_MEMORY_LIMIT = "RAY_memory_usage_threshold"
SECRET = "nvapi-not-for-anybody"  # noqa: S105 # made up
DRIVER = Path(__file__).parent / "ray_driver.py"


class SocketTracker(ListTracker):
    """Remembers, too, where the processes of the study listen, and what their command lines show."""

    def __init__(self) -> None:
        super().__init__()
        self.listening: set[str] = set()
        self.command_lines: set[str] = set()

    def trial_ended(self, result: TrialResult) -> None:
        super().trial_ended(result)
        this = psutil.Process()
        for process in [this, *this.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                connections = process.net_connections("tcp")
                self.listening |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
                self.command_lines.add(" ".join(process.cmdline()))


class Finished(NamedTuple):
    """A study that has run, and what its partners saw."""

    result: StudyResult
    searcher: ListSearcher
    tracker: SocketTracker
    root: Path
    output: str


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Run one study of six trials, each of which ends in another way."""
    root = tmp_path_factory.mktemp("ray")
    qualities = (0.3, 0.4, 0.5, 0.1, 0.7, 0.8)
    searcher = ListSearcher([{"mode": mode, "quality": q} for mode, q in zip(MODES, qualities, strict=True)])
    tracker = SocketTracker()
    capture = root / "output"
    # A machine that others have filled: Ray's own guard of the memory would end healthy trials there.
    os.environ[RAY_MEMORY_LIMIT] = "0.02"
    os.environ["NGC_API_KEY"] = SECRET
    with capture.open("w", encoding="utf-8") as stream:
        saved = os.dup(1), os.dup(2)
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        try:
            result = execute_study(
                toy_plan(root / "skill", trials=len(MODES)),
                toy_location(root),
                searcher=searcher,
                rule=ThresholdRule(threshold=0.2),
                trackers=[tracker],
            )
        finally:
            del os.environ[RAY_MEMORY_LIMIT], os.environ["NGC_API_KEY"]
            for descriptor, before in enumerate(saved, start=1):
                os.dup2(before, descriptor)
                os.close(before)
    return Finished(result, searcher, tracker, root, capture.read_text(encoding="utf-8"))


def trial(finished: Finished, number: int) -> TrialResult:
    return finished.result.trials[number]


def test_every_trial_ends_in_its_own_way(finished: Finished) -> None:
    states = [result.state for result in finished.result.trials]

    assert states == [
        TrialState.COMPLETED,
        TrialState.DIVERGED,
        TrialState.FAILED,
        TrialState.STOPPED,
        TrialState.DIVERGED,
        TrialState.COMPLETED,
    ]
    assert trial(finished, 2).failure is FailureKind.TRAINER
    assert "nothing works" in trial(finished, 2).reason
    assert "0.11 is below 0.2" in trial(finished, 3).reason


def test_the_best_trial_is_found_with_its_checkpoint(finished: Finished) -> None:
    best = finished.result.best

    assert best is not None
    assert best.number == 5
    assert best.checkpoint == "trials/0005/model_epoch_002.pth"


def test_results_lie_in_the_study_directory(finished: Finished) -> None:
    assert StudyDirectory(finished.root / "study").read_results() == finished.result.trials


def test_the_searcher_learns_every_value_and_every_end(finished: Finished) -> None:
    assert [result.number for result in sorted(finished.searcher.told, key=lambda r: r.number)] == list(range(6))
    assert {entry for entry in finished.searcher.observed if entry[0] == 0} == {(0, 0, 0.3), (0, 1, 0.31), (0, 2, 0.32)}


def test_trackers_hear_a_start_and_an_end_of_everything(finished: Finished) -> None:
    events = finished.tracker.events

    assert events[0] == "study started"
    assert events[-1] == "study ended with 6 trials"
    assert events.index("trial 4 started, attempt 1") < events.index("trial 4 DIVERGED")


def test_no_process_of_a_trial_is_left(finished: Finished) -> None:
    plan = toy_plan(finished.root / "skill", trials=1)

    assert not find_leftovers(study_tag(plan, finished.root / "study"))


def test_ray_listens_on_loopback_only(finished: Finished) -> None:
    assert finished.tracker.listening
    assert {address.removeprefix("::ffff:") for address in finished.tracker.listening} == {"127.0.0.1"}


def test_ray_runs_none_of_the_helpers_that_a_study_does_not_need(finished: Finished) -> None:
    names = ("dashboard", "monitor.py", "runtime_env")

    assert any("raylet" in line for line in finished.tracker.command_lines)
    programs = [" ".join(line.split()[:4]) for line in finished.tracker.command_lines]
    assert [program for program in programs if any(name in program for name in names)] == []


def test_a_secret_of_the_environment_is_in_no_file_and_no_command_line(finished: Finished) -> None:
    texts = {file: file.read_bytes() for file in (finished.root / "study").rglob("*") if file.is_file()}

    assert len(texts) > 20
    assert not [file for file, text in texts.items() if SECRET.encode() in text]
    assert finished.tracker.command_lines
    assert not [line for line in finished.tracker.command_lines if SECRET in line]


def test_the_directories_of_a_study_are_its_users_alone(finished: Finished) -> None:
    folders = [finished.root / "study", finished.root / "study/trials", *(finished.root / "study/trials").iterdir()]

    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_ray_prints_nothing(finished: Finished) -> None:
    assert finished.output == ""


def driver(root: Path, *modes: str) -> subprocess.Popen[str]:
    """Start a process that runs a study of these modes with two slots."""
    return subprocess.Popen(
        [sys.executable, DRIVER, str(root), *modes],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_status(root: Path, number: int, limit_s: float = 90.0) -> None:
    """Wait until a trial has reported."""
    file = root / "study" / "trials" / f"{number:04d}" / "status.json"
    deadline_s = time.monotonic() + limit_s
    while not file.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def wait_until_gone(tag: str, limit_s: float) -> None:
    deadline_s = time.monotonic() + limit_s
    while find_leftovers(tag):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_a_killed_study_leaves_no_process_and_is_resumed_with_its_open_trials(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = toy_plan(tmp_path / "skill", trials=3)
    tag = study_tag(plan, tmp_path / "study")
    with driver(tmp_path, "good", "deaf_hang", "deaf_hang") as process:
        wait_for_status(tmp_path, 2)
        process.kill()
        wait_until_gone(tag, limit_s=5.0)
    searcher = ListSearcher([{"mode": "good", "quality": 0.5}] * 3, open_numbers=(0, 1, 2))

    with caplog.at_level(logging.WARNING):
        result = execute_study(plan, toy_location(tmp_path), searcher=searcher, rule=ThresholdRule())

    assert [entry.state for entry in result.trials] == [TrialState.COMPLETED] * 3
    assert [entry.attempt for entry in result.trials] == [1, 2, 2]
    assert [entry.directory for entry in result.trials] == ["trials/0000", "trials/0001.2", "trials/0002.2"]


def test_a_study_that_cannot_be_opened_is_an_error_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_study, "ray_session", lambda *_: contextlib.nullcontext(tmp_path))
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "trials").write_text("a file where a folder should be", encoding="utf-8")
    searcher = ListSearcher([{"mode": "good", "quality": 0.5}])

    with pytest.raises(LaunchError, match="cannot be written"):
        execute_study(
            toy_plan(tmp_path / "skill", trials=1),
            toy_location(tmp_path),
            searcher=searcher,
            rule=ThresholdRule(),
            launcher="local",
        )

    assert searcher.asked == 0


@pytest.mark.slow
def test_the_second_interrupt_ends_the_study_with_its_status(tmp_path: Path) -> None:
    with driver(tmp_path, "hang", "hang", "good") as process:
        wait_for_status(tmp_path, 1)
        process.send_signal(2)
        time.sleep(1.0)
        still_runs = process.poll() is None
        process.send_signal(2)
        output, _ = process.communicate(timeout=60)

    states = [result.state for result in StudyDirectory(tmp_path / "study").read_results()]
    assert still_runs
    assert process.returncode == 130, output
    assert states == [TrialState.INTERRUPTED] * 2


@pytest.mark.slow
def test_a_killed_worker_costs_an_attempt_and_not_the_trial(tmp_path: Path) -> None:
    with driver(tmp_path, "hang_first") as process:
        wait_for_status(tmp_path, 0)
        worker = next(pid for pid in descendants_named(process.pid, "ray::ResourceTrainable"))
        os.kill(worker, 9)
        process.communicate(timeout=120)

    (result,) = StudyDirectory(tmp_path / "study").read_results()
    assert (result.state, result.attempt) == (TrialState.COMPLETED, 2)


@pytest.mark.slow
def test_a_killed_node_process_ends_trials_at_once_and_the_study_with_an_error(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=2)
    with driver(tmp_path, "hang", "hang") as process:
        wait_for_status(tmp_path, 1)
        raylet = next(pid for pid in descendants_named(process.pid, "raylet/raylet"))
        os.kill(raylet, 9)
        wait_until_gone(study_tag(plan, tmp_path / "study"), limit_s=5.0)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 4, output


def descendants_named(pid: int, text: str) -> list[int]:
    """Return the processes below one whose command line begins with, or whose program is, the text."""
    from automl.launch.guard import descendants  # noqa: PLC0415 # only the slow tests look at processes

    lines = {
        process.pid: Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[0] for process in descendants(pid)
    }
    return [found for found, line in lines.items() if text.encode() in line]
