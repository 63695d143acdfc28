from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from automl.errors import LaunchError
from automl.executor.ray import study as ray_study
from automl.executor.ray.study import execute_study
from automl.launch.local import WarmLauncher
from automl.launch.processes import find_leftovers
from automl.storage.event_log import read_log
from automl.storage.held_study import held_study
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.events import StudySuspended, TrialEnded
from automl.study.trial import FailureKind, Measurement, TrialState
from automl.trial.task import study_tag
from tests.automl.executor.toy_study import ListSearcher, ListTracker, ThresholdRule, toy_location, toy_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.executor.loop import StudyLoop
    from automl.storage.event_log import Entry
    from automl.study.result import StudyResult
from automl.study.trial import TrialResult

MODES = ("good", "nan", "fail", "hang", "deaf", "good")
GONE = "deleted meanwhile"
RAY_MEMORY_LIMIT = "RAY_memory_usage_threshold"
SECRET = "nvapi-not-for-anybody"  # noqa: S105 # made up


class SocketTracker(ListTracker):
    """Remembers, too, where the processes of the study listen, what their command lines show, and when trials change.

    The servers that fork trials, and the trials below them, are children of no process here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.listening: set[str] = set()
        self.command_lines: set[str] = set()
        self.fork_servers = 0
        self.token_modes: set[int] = set()
        self.workers: set[int] = set()
        self.folders: set[str] = set()

    def record(self, entry: Entry) -> None:
        super().record(entry)
        if isinstance(entry.event, TrialEnded):
            self.look_around()
            if (here := Path.cwd()).name == GONE:
                here.rmdir()
                os.chdir("/")  # as the study's own watch would, some time later

    def look_around(self) -> None:
        token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        self.token_modes |= {stat.S_IMODE(path.stat().st_mode) for path in (token, token.parent.parent)}
        this = psutil.Process()
        servers = [
            p
            for p in psutil.process_iter(["cmdline"])
            if "automl.launch.fork_server" in " ".join(p.info["cmdline"] or ())
        ]
        for process in [this, *this.children(recursive=True), *servers]:
            with contextlib.suppress(psutil.NoSuchProcess):
                for below in [process, *process.children(recursive=True)]:
                    self.look_at(below)

    def look_at(self, process: psutil.Process) -> None:
        sockets = process.net_connections("inet")
        self.listening |= {
            s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN or (s.type == socket.SOCK_DGRAM and s.laddr)
        }
        line = " ".join(process.cmdline())
        self.command_lines.add(line)
        self.fork_servers += "automl.launch.fork_server" in line
        parent = process.parent()
        # What a worker has just forked has its command line until it executes.
        is_fork = parent is not None and "ray::" in " ".join(parent.cmdline())
        if "ray::" in line and "IDLE" not in line and not is_fork:
            self.workers.add(process.pid)
        if process.pid != os.getpid():
            self.folders.add(process.cwd())


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
    capture, before_run = root / "output", Path.cwd()
    (root / GONE).mkdir()
    os.chdir(root / GONE)
    # A machine that others have filled: Ray's own memory monitor would end healthy trials there.
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
                scheduler=ThresholdRule(threshold=0.2),
                trackers=[tracker],
            )
        finally:
            os.chdir(before_run)
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
    assert read_results(StudyPaths(finished.root / "study")) == finished.result.trials


def test_the_searcher_learns_every_value_and_every_end(finished: Finished) -> None:
    assert [result.number for result in sorted(finished.searcher.reported, key=lambda r: r.number)] == list(range(6))
    assert {entry for entry in finished.searcher.observed if entry[0] == 0} == {(0, 0, 0.3), (0, 1, 0.31), (0, 2, 0.32)}


def test_trackers_hear_a_start_and_an_end_of_everything(finished: Finished) -> None:
    events = finished.tracker.events

    assert events[0] == "study started"
    assert events[-1] == "study ended with 6 trials"
    assert events.index("trial 4 started, attempt 1") < events.index("trial 4 DIVERGED")


def test_no_process_of_a_trial_is_left(finished: Finished) -> None:
    plan = toy_plan(finished.root / "skill", trials=1)

    assert not find_leftovers(study_tag(plan, finished.root / "study"))


def test_everything_that_a_study_starts_listens_on_loopback_only(finished: Finished) -> None:
    assert finished.tracker.fork_servers > 0
    assert finished.tracker.listening
    assert {address.removeprefix("::ffff:") for address in finished.tracker.listening} == {"127.0.0.1"}


def test_ray_runs_none_of_the_helpers_that_a_study_does_not_need(finished: Finished) -> None:
    names = ("dashboard", "monitor.py", "runtime_env")

    assert any("raylet" in line for line in finished.tracker.command_lines)
    programs = [" ".join(line.split()[:4]) for line in finished.tracker.command_lines]
    assert [program for program in programs if any(name in program for name in names)] == []


def test_no_process_stays_in_the_folder_where_the_study_was_started(finished: Finished) -> None:
    assert "/" in finished.tracker.folders
    assert not {folder for folder in finished.tracker.folders if GONE in folder}


def test_a_secret_of_the_environment_is_in_no_file_and_no_command_line(finished: Finished) -> None:
    texts = {file: file.read_bytes() for file in (finished.root / "study").rglob("*") if file.is_file()}

    assert len(texts) > 20
    assert not [file for file, text in texts.items() if SECRET.encode() in text]
    assert finished.tracker.command_lines
    assert not [line for line in finished.tracker.command_lines if SECRET in line]


def test_the_directories_of_a_study_are_its_users_alone(finished: Finished) -> None:
    folders = [finished.root / "study", finished.root / "study/trials", *(finished.root / "study/trials").iterdir()]

    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_rays_token_and_the_folder_around_it_are_its_users_alone(finished: Finished) -> None:
    # Ray opens its own folder to all; the one around it is closed.
    assert finished.tracker.token_modes == {0o600, 0o700}


def test_a_slot_is_used_again_at_once_whatever_ended_the_trial_before(finished: Finished) -> None:
    # No time: on a busy machine that says little. A worker that is started anew waits for seconds of imports: without
    # the reuse each of the six trials has its own. Of two that get free in one step of Tune's loop it keeps one, and
    # none that gets free in a step in which no trial is ready, as seen at load 6.
    assert 2 <= len(finished.tracker.workers) < 6, [line for line in finished.tracker.command_lines if "ray::" in line]


def test_ray_prints_nothing(finished: Finished) -> None:
    assert finished.output == ""


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
            scheduler=ThresholdRule(),
        )

    assert searcher.asked == 0


def test_ray_starts_and_the_study_is_opened_at_the_same_time_once_the_trainer_is_being_preloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, began = threading.Barrier(2, timeout=30), []

    @contextlib.contextmanager
    def session(*_: object) -> Iterator[Path]:
        meeting.wait()
        yield tmp_path

    searcher = ListSearcher([])
    monkeypatch.setattr(searcher, "prepare", meeting.wait)
    monkeypatch.setattr(ray_study, "ray_session", session)
    monkeypatch.setattr(ray_study, "_run", lambda *_, **__: None)
    monkeypatch.setattr(WarmLauncher, "start", lambda _: began.append(meeting.n_waiting))

    execute_study(
        toy_plan(tmp_path / "skill", trials=0),
        toy_location(tmp_path),
        searcher=searcher,
        scheduler=ThresholdRule(),
    )

    assert began == [0]


@pytest.mark.parametrize("is_held", [True, False])
def test_a_study_that_is_moved_while_it_runs_ends_with_one_sentence_and_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_held: bool
) -> None:
    (tmp_path / "study").mkdir()

    def run(_: object, loop: StudyLoop, *__: object) -> None:
        task = loop.next_task()
        assert task is not None
        (tmp_path / "study").rename(tmp_path / "moved")
        loop.measured(task.number, Measurement(epoch=0, values={"val/d1": 0.5}))

    monkeypatch.setattr(ray_study, "ray_session", lambda *_: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(ray_study, "_run", run)

    place = rf"to {tmp_path}/moved" if is_held else "or deleted"
    fix = rf"automl resume {tmp_path}/moved" if is_held else "automl resume THERE"
    sentence = rf"study was moved {place} while the study ran; continue with: {fix}$"
    holding = held_study(tmp_path / "study") if is_held else contextlib.nullcontext()
    with holding, pytest.raises(LaunchError, match=sentence):
        execute_study(
            toy_plan(tmp_path / "skill", trials=1),
            toy_location(tmp_path),
            searcher=ListSearcher([{"mode": "good", "quality": 0.5}]),
            scheduler=ThresholdRule(),
        )

    assert not (tmp_path / "study").exists()


def test_trials_that_are_replaced_while_a_study_runs_end_it_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, other = tmp_path / "study", tmp_path / "other"
    (other / "0000").mkdir(parents=True)

    def run(_: object, loop: StudyLoop, *__: object) -> None:
        task = loop.next_task()
        assert task is not None
        (root / "trials").rename(root / "aside")
        (root / "trials").symlink_to(other)
        result = TrialResult(number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000")
        loop.ended(result)

    monkeypatch.setattr(ray_study, "ray_session", lambda *_: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(ray_study, "_run", run)
    root.mkdir()

    with held_study(root), pytest.raises(LaunchError) as error:
        execute_study(
            toy_plan(tmp_path / "skill", trials=1),
            toy_location(tmp_path),
            searcher=ListSearcher([{"mode": "good", "quality": 0.5}]),
            scheduler=ThresholdRule(),
        )

    found = f"{root / 'trials'} is a link to {other} now"
    assert str(error.value) == (
        f"{found}, and nothing more is written or read there: put back what was there, then continue with:"
        f" automl resume {root}"
    )
    assert list((other / "0000").iterdir()) == []
    last = [entry.event for entry in read_log(root / "events.jsonl")][-1]
    assert isinstance(last, StudySuspended)
    assert last.reason.startswith(found)


@pytest.mark.parametrize(("count", "said"), [(1, "ended 1 process that"), (2, "ended 2 processes that")])
def test_the_processes_that_an_earlier_run_left_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, count: int, said: str
) -> None:
    def refuse(*_: object) -> None:
        raise LaunchError("far enough")

    monkeypatch.setattr(ray_study, "remove_leftovers", lambda: 0)
    monkeypatch.setattr(ray_study, "end_leftovers", lambda _: count)
    monkeypatch.setattr(ray_study, "ready_node", refuse)

    with pytest.raises(LaunchError, match="far enough"):
        execute_study(
            toy_plan(tmp_path / "skill", trials=1),
            toy_location(tmp_path),
            searcher=ListSearcher([]),
            scheduler=ThresholdRule(),
        )

    (record,) = caplog.records
    assert record.getMessage() == f"{said} an earlier run had left alive"
