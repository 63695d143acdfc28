from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from automl.schedulers.base import Action, CloneRequest, Decision
from automl.storage.event_log import read_log
from automl.storage.study_directory import read_state
from automl.study.ends import EndKind, EndReason, StopCause, StopKind
from automl.study.events import RangeGrown, StudySuspended
from automl.study.model import Budget
from automl.study.objectives import Direction, Objective
from automl.study.state import StudyState, apply
from automl.study.trial import FailureKind, Measurement, TrialState
from automl.trial.attempts import MAX_ATTEMPTS
from automl.trial.stop_request import read_stop_request, request_stop
from tests.automl.executor.loop_study import Study
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automl.storage.event_log import Entry


def test_a_study_ends_after_its_number_of_trials(tmp_path: Path) -> None:
    study = Study(tmp_path)

    for _ in range(4):
        assert not study.loop.is_over
        study.end(study.next())

    assert study.loop.next_task() is None
    assert study.loop.is_over
    assert [result.number for result in study.loop.close().trials] == [0, 1, 2, 3]
    assert study.tracker.events[-1] == "study ended with 4 trials"


def test_an_exhausted_searcher_ends_the_study(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=99))
    for _ in range(9):
        study.end(study.next())

    assert study.loop.next_task() is None
    assert str(study.loop.end) == "the search space is exhausted"


def test_a_searcher_that_thinks_holds_up_nobody(tmp_path: Path) -> None:
    study = Study(tmp_path)
    running = study.next()
    study.searcher.is_thinking = True

    assert study.loop.next_task() is None
    study.report(running, 0, 0.5)
    study.end(running)
    assert study.loop.next_task() is None
    assert (study.loop.is_over, study.loop.end) == (False, None)  # nothing runs, and the space is not exhausted

    study.searcher.is_thinking = False
    assert study.next().number == 1
    study.searcher.is_thinking = True
    request_stop(study.directory.root, StopCause(kind=StopKind.USER, detail="enough"))
    study.loop.check_budget()
    assert str(study.loop.end) == "enough"


def test_the_end_of_a_trial_is_on_the_disk_before_the_searcher_observes_it(tmp_path: Path) -> None:
    study = Study(tmp_path)
    seen: list[str] = []
    study.searcher.tell = lambda _: seen.append(study.directory.events_file.read_text(encoding="utf-8"))  # type: ignore[method-assign, assignment] # observes the order

    study.end(study.next())

    assert '"trial_ended"' in seen[0].splitlines()[-1]


def test_a_value_that_the_rule_rejects_stops_the_trial_with_the_reason(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.rule.threshold = 0.2
    task = study.next()

    study.report(task, 0, 0.1)
    before = read_stop_request(task.directory)
    study.report(task, 1, 0.1)

    assert before is None
    assert str(read_stop_request(task.directory)) == "0.1 is below 0.2"


def test_the_rule_sees_larger_as_better_also_when_the_metric_is_minimised(tmp_path: Path) -> None:
    plan = replace(
        toy_plan(tmp_path / "skill", trials=1), objectives=(Objective(metric="val/d1", direction=Direction.MINIMIZE),)
    )
    study = Study(tmp_path, plan)

    study.report(study.next(), 0, 0.3)

    assert study.rule.reports[0].value == -0.3
    assert study.searcher.observed == [(0, 0, 0.3)]


def test_a_measurement_without_the_objective_or_without_an_epoch_is_recorded_and_not_evaluated(tmp_path: Path) -> None:
    study = Study(tmp_path)
    task = study.next()

    study.loop.measured(task.number, Measurement(epoch=0, values={"train_loss": 1.0}))
    study.loop.measured(task.number, Measurement(values={"val/d1": 1.0}))

    assert not study.rule.reports
    assert len(study.tracker.events) == 4


def test_a_lost_trial_is_tried_again_in_a_fresh_directory_at_most_three_times(tmp_path: Path) -> None:
    study = Study(tmp_path)

    directories = []
    for _ in range(MAX_ATTEMPTS):
        task = study.next()
        assert task.number == 0
        directories.append(task.directory.name)
        study.loop.lost(0, "node lost")

    assert directories == ["0000", "0000.2", "0000.3"]
    assert study.searcher.reported[0].failure is FailureKind.INFRASTRUCTURE
    assert study.next().number == 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda folder: os.mkfifo(folder / "result.json"),
            "a named pipe in the place of result.json is result.own.json",
        ),
        (
            lambda folder: (folder / "result.json").mkdir(),
            "a folder in the place of result.json is result.own.json now",
        ),
        (lambda folder: (folder / "result.json").symlink_to("/dev/zero"), "a link in the place of result.json is"),
        (
            lambda folder: folder.rename(folder.with_name("x")) and folder.touch(),
            "a file in the place of 0000 is 0000.own",
        ),
        (lambda folder: os.mkfifo(folder.with_name("0001")), "a named pipe in the place of 0001 is 0001.own now"),
    ],
    ids=["pipe", "folder", "link", "file for the folder", "pipe for the next folder"],
)
def test_what_a_trainer_puts_in_the_place_of_files_of_the_study_does_not_end_that(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    study = Study(tmp_path)
    task = study.next()
    make(task.directory)

    study.end(task)
    study.end(study.next())

    assert [study.directory.result_file(number).is_file() for number in (0, 1)] == [True, True]
    assert said in " ".join(text for trial in read_state(study.directory).trials for text in trial.notices)


def test_a_failure_of_the_infrastructure_is_retried_and_one_of_the_trainer_is_not(tmp_path: Path) -> None:
    study = Study(tmp_path)

    study.end(study.next(), TrialState.FAILED, failure=FailureKind.INFRASTRUCTURE)
    again = study.next()
    study.end(again, TrialState.FAILED, failure=FailureKind.TRAINER)

    assert (again.number, again.start.attempt) == (0, 2)
    assert study.next().number == 1


def test_three_identical_trainer_errors_stop_the_study(tmp_path: Path) -> None:
    study = Study(tmp_path)
    tasks = [study.next() for _ in range(4)]

    for task in tasks[:3]:
        study.end(task, TrialState.FAILED, failure=FailureKind.TRAINER, reason="no such option")

    assert "no such option" in str(study.loop.end)
    assert "no such option" in str(read_stop_request(tasks[3].directory))


def test_the_time_budget_stops_what_runs_and_starts_no_more(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=4, budget=Budget(trials=4, time_s=0.0)))
    task = study.next()

    study.loop.check_budget()

    assert study.loop.next_task() is None
    assert str(read_stop_request(task.directory)) == "the time budget of 0 s is used up"
    assert not study.loop.is_over
    study.end(task, TrialState.STOPPED)
    assert study.loop.is_over


def test_a_user_can_end_the_study_and_a_resume_forgets_it(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=4))
    task = study.next()
    request_stop(task.study_directory, StopCause(kind=StopKind.USER, detail="stopped by the user"))

    study.loop.check_budget()

    assert str(study.loop.end) == "stopped by the user"
    assert str(read_stop_request(task.directory)) == "stopped by the user"
    Study(tmp_path, toy_plan(tmp_path / "skill", trials=4))
    assert read_stop_request(task.study_directory) is None


def test_a_reached_target_ends_the_study(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=4, budget=Budget(trials=4, target=0.9)))
    task = study.next()

    study.report(task, 0, 0.95)

    assert str(read_stop_request(task.directory)) == "the target 0.9 of val/d1 is reached"
    assert study.loop.next_task() is None


def test_the_first_interrupt_lets_trials_save_their_epoch_and_the_second_ends_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = Study(tmp_path)
    task, last, silent = study.next(), study.next(), study.next()

    study.loop.interrupt()
    assert study.loop.next_task() is None
    assert "once more ends them at once" in caplog.text
    assert read_stop_request(task.directory) is None
    study.report(task, 0, 0.5)
    study.report(last, 2, 0.5)  # of three: it has nothing left to do
    assert str(read_stop_request(task.directory)) == "interrupted by the user"
    assert read_stop_request(last.directory) is None
    assert read_stop_request(silent.directory) is None
    study.loop.interrupt()

    assert str(read_stop_request(silent.directory)) == "interrupted by the user"


def test_an_interrupt_at_once_ends_trials_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = Study(tmp_path)
    task = study.next()

    study.loop.interrupt(at_once=True)

    assert str(read_stop_request(task.directory)) == "interrupted by the user"
    assert "interrupted: trials end at once" in caplog.text
    assert "checkpoint of their epoch" not in caplog.text


def test_an_interrupted_trial_is_open_for_a_resume_and_the_study_has_not_ended(tmp_path: Path) -> None:
    study = Study(tmp_path)
    task = study.next()
    study.loop.interrupt()

    study.end(task, TrialState.INTERRUPTED)

    result = study.loop.close()
    assert [trial.state for trial in result.trials] == [TrialState.INTERRUPTED]
    assert not study.searcher.reported
    assert not any(event.startswith("study ended") for event in study.tracker.events)


def test_a_resume_runs_open_trials_first_and_keeps_finished_ones(tmp_path: Path) -> None:
    first = Study(tmp_path)
    for state in (TrialState.COMPLETED, TrialState.DIVERGED):
        first.end(first.next(), state)
    first.next()

    second = Study(tmp_path)

    task = second.next()
    assert (task.number, task.start.attempt) == (2, 2)
    second.end(task)
    assert second.next().number == 3
    assert second.loop.next_task() is None


def test_a_resume_knows_in_which_order_trials_ended(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=9, jobs=3, budget=Budget(trials=9, patience_trials=2))
    first = Study(tmp_path, plan)
    tasks = [first.next() for _ in range(3)]
    for number, value in ((2, 0.6), (1, 0.5)):
        first.end(tasks[number], values={"val/d1": value})

    second = Study(tmp_path, plan)
    second.end(second.next(), values={"val/d1": 0.4})

    # In the order of their numbers the best one would have been the last but one.
    assert second.loop.end is not None


def test_a_result_that_the_searcher_had_not_observed_is_reported_and_not_run_again(tmp_path: Path) -> None:
    first = Study(tmp_path)
    first.end(first.next())

    second = Study(tmp_path)

    assert [result.number for result in second.searcher.reported] == [0]
    assert second.next().number == 1


def test_the_rule_is_where_it_was_after_a_resume(tmp_path: Path) -> None:
    first = Study(tmp_path)
    tasks = [first.next(), first.next()]
    first.report(tasks[1], 0, 0.7)
    first.report(tasks[0], 0, 0.6)
    first.end(tasks[1])

    second = Study(tmp_path)

    assert second.rule.reports == first.rule.reports


def test_a_tracker_that_fails_does_not_end_the_study(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = Study(tmp_path)

    def fail(entry: Entry) -> None:
        raise OSError(f"the server is down, {entry.event.kind} is lost")

    study.tracker.record = fail  # type: ignore[method-assign] # a broken tracker
    study.end(study.next())

    assert study.searcher.reported
    assert "the server is down" in caplog.text


def test_a_trial_that_was_to_be_stopped_when_the_study_died_is_concluded_and_not_run_again(tmp_path: Path) -> None:
    first = Study(tmp_path)
    first.rule.threshold = 0.2
    task = first.next()
    for epoch, value in enumerate((0.15, 0.1, 0.9)):
        with (task.directory / "status.json").open("a", encoding="utf-8") as stream:
            stream.write(f'{{"epoch": {epoch}, "kpi": {{"val/d1": {value}}}}}\n')
        first.report(task, epoch, value)

    second = Study(tmp_path)

    assert [(r.number, r.state, dict(r.values)) for r in second.searcher.reported] == [
        (0, TrialState.STOPPED, {"val/d1": 0.15})
    ]
    assert first.searcher.observed == [(0, 0, 0.15), (0, 1, 0.1)]
    assert second.next().number == 1


def test_a_lost_trial_that_was_to_be_stopped_is_concluded(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.rule.threshold = 0.2
    task = study.next()
    (task.directory / "status.json").write_text('{"epoch": 1, "kpi": {"val/d1": 0.1}}\n', encoding="utf-8")
    study.report(task, 1, 0.1)

    study.loop.lost(0, "node lost")

    assert [(r.state, r.best_epoch) for r in study.searcher.reported] == [(TrialState.STOPPED, 1)]


def test_three_errors_in_a_row_that_differ_in_numbers_only_end_the_study_with_one_summary(tmp_path: Path) -> None:
    study = Study(tmp_path)
    for number in range(3):
        reason = f"KeyError: sample {number} of /data/{number}.png"
        study.end(
            study.next(), TrialState.FAILED, failure=FailureKind.TRAINER, reason=reason, log_tail=("the last line",)
        )

    failure = study.loop.close().failure

    assert failure is not None
    assert "KeyError: sample 0" in failure
    assert "the last line" in failure


def test_what_a_dead_study_never_heard_is_evaluated_before_the_trial_goes_on(tmp_path: Path) -> None:
    first = Study(tmp_path)
    task = first.next()
    for epoch, value in enumerate((0.3, 0.1, 0.2)):
        with (task.directory / "status.json").open("a", encoding="utf-8") as stream:
            stream.write(f'{{"epoch": {epoch}, "kpi": {{"val/d1": {value}}}}}\n')
        (task.directory / f"model_epoch_{epoch:03d}.pth").write_bytes(b"weights")
    first.report(task, 0, 0.3)

    second = Study(tmp_path)
    second.rule.threshold = 0.15

    assert second.loop.next_task() is None
    assert [(r.state, r.curve) for r in second.searcher.reported] == [(TrialState.STOPPED, ((0, 0.3), (1, 0.1)))]
    assert [(r.epoch, r.value) for r in second.rule.reports] == [(0, 0.3), (1, 0.1)]
    assert second.next().number == 1


def test_a_paused_trial_is_reported_to_the_searcher_and_keeps_what_only_its_worker_had_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=1))
    task = study.next()
    pause = Decision(action=Action.PAUSE, reason="rung 1")
    monkeypatch.setattr(study.rule, "decide", lambda _: pause)
    study.report(task, 0, 0.3)
    (task.directory / "model_epoch_000.pth").write_bytes(b"weights")
    written: list[str] = []
    monkeypatch.setattr(
        study.searcher, "pause", lambda _: written.append(study.directory.events_file.read_text(encoding="utf-8"))
    )

    study.end(task, TrialState.INTERRUPTED, values={"val/d1": 0.3, "memory_gib": 7.0}, reason="paused: rung 1")
    (ended,) = study.loop.close().trials

    assert '"trial_ended"' in written[0].splitlines()[-1]
    assert (ended.state, ended.reason, ended.values["memory_gib"]) == (TrialState.STOPPED, "rung 1", 7.0)


def test_a_notice_is_recorded_once_and_shown_by_the_status(tmp_path: Path) -> None:
    study = Study(tmp_path)
    task = study.next()

    for _ in range(2):
        study.loop.measured(task.number, Measurement(notice="status.json was not read: it is a named pipe"))
    study.report(task, 0, 0.5)

    state = read_state(study.directory)
    assert state.notices == ("trial 0: status.json was not read: it is a named pipe",)
    assert [m.values for m in state.trials[0].measured] == [{"val/d1": 0.5}]


def test_a_study_is_known_to_be_cut_off_though_its_process_is_killed_while_the_disk_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=4))
    study.next()
    study.next()

    def kill(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", kill)
    with pytest.raises(KeyboardInterrupt):
        study.loop.suspend(EndReason(kind=EndKind.RAY_LOST))

    state = read_state(study.directory)
    assert isinstance(state.last, StudySuspended)
    assert [trial.cause is not None for trial in state.trials] == [True, True]


def test_a_process_that_has_to_end_while_another_thread_writes_says_why(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=4))
    study.next()
    with study.loop._lock:  # noqa: SLF001 # as a thread that waits for the disk holds it
        thread = threading.Thread(target=study.loop.leave, args=[EndReason(kind=EndKind.RAY_LOST)])
        thread.start()
        thread.join(60.0)

    assert [entry.event.kind for entry in read_log(study.directory.events_file)][-1] == "study_suspended"


def test_data_that_changed_between_two_runs_are_said_to_have_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "images"
    data.mkdir()
    (data / "list.txt").write_text("1.png\n", encoding="utf-8")
    (data / "1.png").write_bytes(b"one")
    plan = toy_plan(tmp_path / "skill", trials=4)
    plan = replace(plan, spec=plan.spec.with_values({"data": str(data / "list.txt")}, origin="test"))
    first = Study(tmp_path, plan)
    first.end(first.next())
    first.loop.suspend(EndReason(kind=EndKind.SIGNAL))

    Study(tmp_path, plan)
    assert read_state(first.directory).notices == ()
    (data / "1.png").write_bytes(b"ONE")
    for _ in range(2):
        Study(tmp_path, plan)

    said = f"data has changed: {data / 'list.txt'}; 1 trial began before: compare their values with care"
    assert read_state(first.directory).notices == (said,)
    assert [record.message for record in caplog.records if "has changed" in record.message] == [said]


def test_code_that_changes_while_a_study_runs_is_a_notice_of_the_trial_that_begins_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = iter(["", "helper.py has changed", ""])
    monkeypatch.setattr("automl.executor.loop.CodeWatch.change", lambda _: next(changes))
    study = Study(tmp_path)

    for _ in range(3):
        study.end(study.next())

    assert read_state(study.directory).notices == ("trial 1: helper.py has changed",)


def test_a_range_that_has_grown_is_part_of_what_the_status_shows() -> None:
    state = StudyState()

    apply(
        state,
        RangeGrown(path="lr", low=1e-6, high=1e-2, reason="the best 2 trials lie at its derived end"),
        datetime.now(UTC),
    )

    assert state.notices == (
        "the range of lr is 1e-06 .. 0.01 from trial 0 on: the best 2 trials lie at its derived end",
    )


def test_the_checkpoint_that_a_clone_begins_with_outlives_the_end_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path)
    parent, other = study.next(), study.next()
    for epoch in range(3):
        (parent.directory / f"model_epoch_{epoch:03d}.pth").write_bytes(b"weights")
        with (parent.directory / "status.json").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"epoch": epoch, "kpi": {"val/d1": 0.5 + epoch}}) + "\n")
        study.report(parent, epoch, 0.5 + epoch)
    wanted = [CloneRequest(parent=0, epoch=0)]
    monkeypatch.setattr(study.rule, "next_clone", lambda: wanted[0] if wanted else None)
    monkeypatch.setattr(study.rule, "cloned", wanted.clear)

    curve = tuple((epoch, 0.5 + epoch) for epoch in range(3))
    study.end(
        parent,
        directory="trials/0000",
        values={"val/d1": 2.5},
        curve=curve,
        checkpoint="trials/0000/model_epoch_002.pth",
    )
    clone = study.next()
    kept = sorted(path.name for path in parent.directory.glob("*.pth"))
    study.end(other, directory="trials/0001", values={"val/d1": 0.1})

    assert (clone.start.parent, clone.start.first_epoch) == (0, 1)
    assert "model_epoch_000.pth" in kept
    assert "model_epoch_000.pth" not in {path.name for path in parent.directory.glob("*.pth")}
