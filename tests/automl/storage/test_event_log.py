from __future__ import annotations

import contextlib
import errno
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage import event_log
from automl.storage.documents import to_line, without_check
from automl.storage.event_log import EventLog, _unchanged, decode, encode, read_log, read_settled
from automl.study.causes import Origin, OriginKind
from automl.study.ends import EndKind, EndReason, StopCause, StopKind
from automl.study.evaluation import ActionStatus, Evaluation
from automl.study.events import (
    ActionEnded,
    EndDecided,
    Evaluated,
    Event,
    FileAttached,
    HandedOver,
    ImprovementEstimated,
    Measured,
    ModelRegistered,
    Noticed,
    RangeGrown,
    StopDecided,
    StudyEnded,
    StudySuspended,
    TrialEnded,
    TrialPromoted,
    TrialProposed,
    TrialRetried,
    TrialStarted,
)
from automl.study.state import StudyState, apply
from automl.study.trial import FailureKind, TrialResult, TrialState
from tests.automl.study.examples import study_started

if TYPE_CHECKING:
    from pathlib import Path

    from automl.space.values import Scalar

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
ASSIGNMENT: dict[str, Scalar] = {"lr": 1e-4, "batch": 4, "norm": True, "name": "adam", "none": None}
END = EndReason(kind=EndKind.TARGET, amount=0.9, metric="val/d1")
CAUSE = StopCause(kind=StopKind.PAUSE, detail="rung 3", end=None, last_epoch=2)
RESULT = TrialResult(
    number=3,
    state=TrialState.FAILED,
    failure=FailureKind.OUT_OF_MEMORY,
    assignment=ASSIGNMENT,
    directory="trials/0003",
    values={"val/d1": 0.5},
    curve=((0, 0.25), (1, 0.5)),
    log_tail=("a", "b"),
    changes={"batch": 2},
    gpus=("0",),
    cause=CAUSE,
)
EVENTS: tuple[Event, ...] = (
    study_started(max_epochs=None),
    TrialProposed(trial=3, assignment=ASSIGNMENT, origin=Origin(OriginKind.TEMPLATE), replicate_of=1, seed=5),
    TrialStarted(
        trial=3,
        attempt=2,
        origin="template",
        assignment=ASSIGNMENT,
        directory="trials/0003.2",
        start={"attempt": 2},
        gpus=("1",),
    ),
    Measured(trial=3, epoch=0, step=None, max_epochs=8, values={"val/d1": 0.1 + 0.2}, nonfinite={"loss": "nan"}),
    StopDecided(trial=3, cause=CAUSE),
    TrialRetried(trial=3, change={"is_alone": True}, failure="out_of_memory", reason="memory ran out"),
    TrialPromoted(trial=3),
    TrialEnded(RESULT),
    ImprovementEstimated(value=None),
    RangeGrown(path="train.lr", low=1e-5, high=1e-2, reason="the best 2 trials lie at its derived end 0.001"),
    EndDecided(end=END, is_search=True),
    StudyEnded(trials=4, best_trial=1, best_value=0.5, reason=str(END), end=END),
    StudySuspended(reason="Ctrl-C or SIGTERM", end=EndReason(kind=EndKind.SIGNAL)),
    ActionEnded(key="evaluate-1", result={"values": {"val/d1": 0.5}}),
    Evaluated(evaluations={"baseline": Evaluation(status=ActionStatus.UNAVAILABLE, reason="no start")}),
    ModelRegistered(request={"name": "demo"}),
    FileAttached(run="study", path="report.html"),
    HandedOver(sha256="f" * 64),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.kind))
def test_every_event_survives_a_round_trip(event: Event) -> None:
    assert decode(encode(event, NOW)) == (event, NOW)


def test_every_line_is_strict_json_with_its_kind_and_time() -> None:
    document = json.loads(encode(TrialEnded(RESULT), NOW))

    assert (document["event"], document["time"]) == ("trial_ended", "2026-01-02T03:04:05.678+00:00")
    assert (document["trial"], document["state"], document["curve"]) == (3, "FAILED", [[0, 0.25], [1, 0.5]])
    assert "number" not in document


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(TrialEnded(replace(RESULT, values={"val/d1": float("nan")})), NOW)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_a_line_as_this_version_writes_it_is_the_same_event_read_fast_and_with_care(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = encode(event, NOW)
    fast = _unchanged(line)
    monkeypatch.setattr(event_log, "_unchanged", lambda _: None)

    assert fast == decode(line, is_strict=True) == (event, NOW)
    assert repr(fast) == repr(decode(line, is_strict=True))  # True is no 1, and 1 no 1.0


def test_events_that_belong_together_are_in_the_log_though_the_process_ends_while_the_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, log = tmp_path / "events.jsonl", EventLog(tmp_path / "events.jsonl")
    log.append(EVENTS[0])

    def stall(_: int) -> None:
        log.append_unlocked(EVENTS[3])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stall)
    with pytest.raises(KeyboardInterrupt):
        log.append_all(EVENTS[1:3])

    assert [entry.event for entry in read_log(file, is_strict=True)] == list(EVENTS[:4])


def test_several_events_are_written_with_the_offset_behind_each(tmp_path: Path) -> None:
    file, log = tmp_path / "events.jsonl", EventLog(tmp_path / "events.jsonl")

    written = [*log.append_all(EVENTS[:2]), *log.append_all(EVENTS[2:])]

    assert [entry.end for entry in written] == [entry.end for entry in read_log(file, is_strict=True)]
    assert log.append_all([]) == []


def test_a_log_is_read_from_any_position_its_follower_has_kept(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    log = EventLog(tmp_path / "study" / "events.jsonl")
    for event in EVENTS:
        log.append(event)

    entries = list(read_log(tmp_path / "study" / "events.jsonl"))

    assert tuple(entry.event for entry in entries) == EVENTS
    for count, entry in enumerate(entries, start=1):
        assert tuple(e.event for e in read_log(tmp_path / "study" / "events.jsonl", entry.end)) == EVENTS[count:]


def test_a_line_that_a_crash_tore_is_passed_over_and_cut_off_by_the_next_event(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(encode(EVENTS[0], NOW) + encode(EVENTS[1], NOW)[:-20])

    assert [entry.event for entry in read_log(file, is_strict=True)] == [EVENTS[0]]
    EventLog(file).append(EVENTS[6])

    assert [entry.event for entry in read_log(file, is_strict=True)] == [EVENTS[0], EVENTS[6]]


@pytest.mark.parametrize("damage", [b"\x00", b"7", b"}"])
def test_a_line_that_was_changed_is_refused_by_whoever_acts_on_the_log_and_passed_over_by_others(
    tmp_path: Path, damage: bytes
) -> None:
    file = tmp_path / "events.jsonl"
    lines = [encode(event, NOW) for event in EVENTS[:3]]
    lines[1] = lines[1].replace(b"3", damage, 1)
    file.write_bytes(b"".join(lines))

    assert [entry.event for entry in read_log(file)] == [EVENTS[0], EVENTS[2]]
    with pytest.raises(ConfigurationError, match=r"events\.jsonl"):
        list(read_log(file, is_strict=True))


def test_lines_of_the_version_before_are_read(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(
        '{"event": "measured", "time": "2026-01-02T03:04:05.678+00:00", "trial": 0, "epoch": 1, "step": null,'
        ' "max_epochs": null, "values": {"val/d1": 0.5}, "nonfinite": {}}\n'
        '{"event": "later", "time": "2026-01-02T03:04:05.678+00:00"}\n'
        '{"event": "trial_ended", "time": "2026-01-02T03:04:05.678+00:00", "trial": 0, "state": "STOPPED",'
        ' "reason": "rung 3", "failure": null, "values": {"val/d1": 0.5}, "directory": "trials/0000"}\n',
        encoding="utf-8",
    )

    measured, ended = (entry.event for entry in read_log(file))

    with pytest.raises(ConfigurationError, match="the line has no check"):
        [*read_log(file, is_strict=True)]
    assert isinstance(measured, Measured)
    assert measured.values == {"val/d1": 0.5}
    assert isinstance(ended, TrialEnded)
    assert (ended.result.number, ended.result.state) == (0, TrialState.STOPPED)


@pytest.mark.parametrize("torn_bytes", [1, 4096, (2 << 20) + 5])
def test_a_torn_end_of_any_length_is_cut_off_by_the_next_event(tmp_path: Path, torn_bytes: int) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    log.append(TrialPromoted(trial=3))
    log.close()
    with file.open("ab") as stream:
        stream.write(b"\0" * torn_bytes)

    EventLog(file).append(TrialPromoted(trial=4))

    assert [entry.event for entry in read_log(file, is_strict=True)] == [TrialPromoted(trial=3), TrialPromoted(trial=4)]


def test_a_log_without_a_whole_line_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"x" * (2 << 20))

    EventLog(file).append(TrialPromoted(trial=4))

    assert [entry.event for entry in read_log(file, is_strict=True)] == [TrialPromoted(trial=4)]


def test_a_line_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"[" * 200_000 + b"\n")

    assert [*read_log(file)] == []
    with pytest.raises(ConfigurationError, match="cannot be read"):
        [*read_log(file, is_strict=True)]


def test_a_folder_in_place_of_a_log_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()

    with pytest.raises(ConfigurationError, match=r"(?s)events\.jsonl.*it is a folder"):
        [*read_log(tmp_path / "events.jsonl")]


def test_nothing_is_written_to_a_log_that_was_moved_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    log = EventLog(tmp_path / "study/events.jsonl")
    log.append(EVENTS[0])
    (tmp_path / "study").rename(tmp_path / "moved")

    with pytest.raises(FileNotFoundError, match="moved"):
        log.append(EVENTS[0])

    assert not (tmp_path / "study").exists()
    assert len(list(read_log(tmp_path / "moved/events.jsonl"))) == 1


def test_a_file_system_that_is_full_within_a_line_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = EventLog(tmp_path / "events.jsonl"), os.write
    log.append(EVENTS[0])

    def write_a_little(handle: int, content: bytes) -> int:
        if len(content) < 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, content[:50])

    with monkeypatch.context() as full:
        full.setattr(os, "write", write_a_little)
        with pytest.raises(OSError, match="No space left"):
            log.append(EVENTS[0])
    log.append(EVENTS[1])

    assert [entry.event for entry in read_log(tmp_path / "events.jsonl", is_strict=True)] == list(EVENTS[:2])


@pytest.mark.parametrize("value", [7, None, [], {"a": 1}, 10**400, "2026-13-45"])
@pytest.mark.parametrize("key", ["time", "directory", "trial", "assignment"])
def test_a_value_of_a_wrong_type_is_refused_also_where_its_check_is_right(
    tmp_path: Path, key: str, value: object
) -> None:
    file = tmp_path / "events.jsonl"
    started = TrialStarted(trial=0, attempt=1, origin="", assignment={"lr": 0.1}, directory="trials/0000")
    document = without_check(json.loads(encode(started, NOW)))[0]
    file.write_text(to_line({**document, key: value}), encoding="utf-8")

    with contextlib.suppress(ConfigurationError):
        (entry,) = read_log(file, is_strict=True)
        assert isinstance(entry.event, TrialStarted)
    assert len(list(read_log(file))) <= 1


def test_of_trials_that_have_ended_the_measurements_are_left_out_and_the_fold_is_the_same(tmp_path: Path) -> None:
    log, origin = EventLog(tmp_path / "events.jsonl"), Origin(OriginKind.SOBOL)
    for number in (0, 1):
        log.append(TrialProposed(trial=number, assignment={"lr": 0.1}, origin=origin))
        log.append(TrialStarted(trial=number, attempt=1, origin="", assignment={}, directory=f"trials/{number:04d}"))
    for epoch in range(3):
        for number in (0, 1):
            log.append(measured_at(number, epoch))
    log.append(TrialEnded(replace(RESULT, number=0, state=TrialState.COMPLETED)))
    log.append(Noticed(trial=1, text="a notice"))
    log.append(measured_at(1, 3))
    log.close()

    whole, settled = list(read_log(log._file, is_strict=True)), list(read_settled(log._file))  # noqa: SLF001 # shorter

    assert [entry.event for entry in settled if isinstance(entry.event, Measured)] == [
        measured_at(1, epoch) for epoch in range(4)
    ]
    states = StudyState(), StudyState()
    for state, entries in zip(states, (whole, settled), strict=True):
        for entry in entries:
            apply(state, entry.event, entry.time)
    assert states[0] == states[1]


def measured_at(number: int, epoch: int) -> Measured:
    return Measured(trial=number, epoch=epoch, step=None, max_epochs=None, values={"val/d1": 0.1 * epoch})


def test_a_measurement_that_was_changed_is_refused_also_of_a_trial_that_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    proposed = encode(TrialProposed(trial=0, assignment={}, origin=Origin(OriginKind.SOBOL)), NOW)
    line = encode(measured_at(0, 0), NOW).replace(b'"epoch": 0', b'"epoch": 1')
    file.write_bytes(proposed + line + encode(TrialEnded(replace(RESULT, number=0)), NOW))

    with pytest.raises(ConfigurationError, match="line 2: it is not what was written"):
        list(read_settled(file))
