"""The journal: one Optuna journal file per study, the truth from which everything is rebuilt.

Each line is appended under a lock and flushed to disk before the call returns. A line that a power cut or a kill tore
is cut off when the file is opened. One process owns a journal at a time; the ownership ends with the process, however
it ends. Whole assignments are kept beside Optuna's parameters, because trial 0 may lie outside the searched range.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState as OptunaState

from automl.errors import ConfigurationError, Problem
from automl.storage.locks import AppendLock, OwnerLock
from automl.study.causes import origin_from
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from automl.space.values import Scalar
    from automl.study.causes import Origin
    from automl.study.model import Objective
    from automl.study.trial import Proposal

_ASSIGNMENT = "automl:assignment"
_ORIGIN = "automl:origin"
_END = "automl:end"
_PAUSED = "automl:paused"
_CHECK = "automl:check"
_REPLICATE = "automl:replicate"
_BEGUN = (_ASSIGNMENT, _ORIGIN, _REPLICATE)
_OPTUNA_STATES = {
    TrialState.COMPLETED: OptunaState.COMPLETE,
    TrialState.STOPPED: OptunaState.PRUNED,
    TrialState.DIVERGED: OptunaState.FAIL,
    TrialState.FAILED: OptunaState.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnd:
    """How a trial ended, as the journal keeps it.

    Attributes:
        state: A final state.
        values: One finite value per objective as measured; empty when the trial has none.
        violations: One finite number per constraint, at most 0 where it is kept, None where it was not measured; empty
            when the trial has no value.
        reason: Why it ended so.
        finished_as: Place of the end among the ends and pauses of the study.
    """

    state: TrialState
    values: tuple[float, ...]
    reason: str
    finished_as: int
    violations: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalTrial:
    """A trial as the journal keeps it.

    Attributes:
        number: Its number.
        assignment: The whole assignment.
        origin: Where it came from.
        intermediate: Epoch -> leading objective, as measured.
        end: How it ended; None while it is open.
        replicate: (number of the repeated trial, seed) of a replicate.
        paused: What it counts as while it is open, and the zero-based epoch at which it was paused last.
    """

    number: int
    assignment: Mapping[str, Scalar]
    origin: Origin
    intermediate: Mapping[int, float]
    end: TrialEnd | None
    replicate: tuple[int, int] | None = None
    paused: tuple[TrialEnd, int] | None = None


class Journal:
    """An open journal; this process is its only writer.

    Args:
        file: The journal; created with its folder if it does not exist.
        name: The study's name.
        objectives: At least one.

    Raises:
        ConfigurationError: another living process owns the journal, or a line in its middle cannot be read, is missing
            or has been changed.
    """

    def __init__(self, file: Path, name: str, objectives: Sequence[Objective]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._owner = OwnerLock(file)
        try:
            repair_tail(file)
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            with _replayed(file):
                self._storage = JournalStorage(JournalFileBackend(str(file), lock_obj=AppendLock(file)))
                self._study = self._open_study(name, objectives)
                self._ids = {trial.number: trial._trial_id for trial in self._frozen()}  # noqa: SLF001 - storages want it
                self.trials()  # a damaged file is refused before anything is appended
                self._close_half_ended()
        except BaseException:
            self._owner.release()
            raise

    def _open_study(self, name: str, objectives: Sequence[Objective]) -> int:
        existing = self._storage.get_all_studies()
        if existing:
            return int(existing[0]._study_id)  # noqa: SLF001 - Optuna's storages want it and offer no other way
        directions = [StudyDirection[o.direction.name] for o in objectives]
        study = self._storage.create_new_study(directions, name)
        self._storage.set_study_system_attr(study, "study:metric_names", [o.metric for o in objectives])
        return int(study)

    def _frozen(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _close_half_ended(self) -> None:
        # A kill between the two lines of an end leaves the reason written and the trial open.
        for trial in self._frozen():
            end = trial.user_attrs.get(_END)
            if end is not None and not trial.state.is_finished():
                self._set_state(trial.number, _end_of(end))

    def add_trial(
        self, proposal: Proposal, params: Mapping[str, Scalar], distributions: Mapping[str, BaseDistribution]
    ) -> None:
        """Append a running trial, whole, in one line."""
        attributes: dict[str, Any] = {_ASSIGNMENT: dict(proposal.assignment), _ORIGIN: proposal.origin.document()}
        if proposal.replicate_of is not None:
            attributes[_REPLICATE] = [proposal.replicate_of, proposal.seed]
        attributes[_CHECK] = _check_of([proposal.number, attributes])
        template = optuna.trial.create_trial(
            state=OptunaState.RUNNING,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=attributes,
        )
        self._ids[proposal.number] = self._storage.create_new_trial(self._study, template_trial=template)

    def add_value(self, number: int, epoch: int, value: float) -> None:
        """Append one intermediate value of the leading objective."""
        self._storage.set_trial_intermediate_value(self._ids[number], epoch, value)

    def end_trial(self, number: int, end: TrialEnd) -> None:
        """Append how a trial ended: first why, then its state and values in one line."""
        self._storage.set_trial_user_attr(self._ids[number], _END, _record_of(end))
        self._set_state(number, end)

    def pause_trial(self, number: int, end: TrialEnd, epoch: int) -> None:
        """Append what an open trial counts as since it was paused.

        Args:
            number: The trial's.
            end: As if it had ended there.
            epoch: Zero-based epoch of the pause.
        """
        self._storage.set_trial_user_attr(self._ids[number], _PAUSED, {**_record_of(end), "epoch": epoch})

    def _set_state(self, number: int, end: TrialEnd) -> None:
        self._storage.set_trial_state_values(self._ids[number], _OPTUNA_STATES[end.state], end.values or None)

    def trials(self) -> tuple[JournalTrial, ...]:
        """Return all trials, in order of their numbers."""
        return tuple(_trial_of(frozen) for frozen in sorted(self._frozen(), key=lambda t: t.number))

    def close(self) -> None:
        """Give up ownership."""
        self._owner.release()


@contextmanager
def _replayed(file: Path) -> Iterator[None]:
    """Turn what a damaged journal does to its replay into an error that names it."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        raise _unreadable(file, f"lines that do not belong together ({type(error).__name__}: {error})") from error


def _check_of(content: object) -> str:
    """Return what tells whether a line was changed, or has become another trial's because one before it is missing."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _checked(content: object, check: str | None, what: str) -> None:
    if check is not None and check != _check_of(content):  # None: of an earlier version
        raise ValueError(f"{what} is not what was written")


def _trial_of(frozen: FrozenTrial) -> JournalTrial:
    begun = {name: frozen.user_attrs[name] for name in _BEGUN if name in frozen.user_attrs}
    _checked([frozen.number, begun], frozen.user_attrs.get(_CHECK), f"trial {frozen.number}")
    end, paused = frozen.user_attrs.get(_END), frozen.user_attrs.get(_PAUSED)
    return JournalTrial(
        number=frozen.number,
        assignment=frozen.user_attrs[_ASSIGNMENT],
        origin=origin_from(frozen.user_attrs[_ORIGIN]),
        intermediate=dict(frozen.intermediate_values),
        end=None if end is None else _end_of(end),
        paused=None if paused is None else (_end_of(paused), int(paused["epoch"])),
        replicate=tuple(frozen.user_attrs[_REPLICATE]) if _REPLICATE in frozen.user_attrs else None,
    )


def _record_of(end: TrialEnd) -> dict[str, Any]:
    record = {"state": end.state.value, "values": end.values, "reason": end.reason, "order": end.finished_as}
    content: dict[str, Any] = record | ({"violations": end.violations} if end.violations else {})
    return {**content, "check": _check_of(content)}


def _end_of(record: Mapping[str, Any]) -> TrialEnd:
    content = {name: value for name, value in record.items() if name not in {"check", "epoch"}}
    _checked(content, record.get("check"), "an end")
    return TrialEnd(
        state=TrialState(record["state"]),
        values=tuple(float(value) for value in record["values"]),
        reason=str(record["reason"]),
        finished_as=int(record["order"]),
        violations=tuple(None if value is None else float(value) for value in record.get("violations", ())),
    )


def repair_tail(file: Path) -> int:
    """Cut what a kill or a power cut left behind the last whole line; return the number of bytes cut.

    Raises:
        ConfigurationError: a line before the last one is not JSON; nothing is changed then.
    """
    if not file.exists():
        return 0
    content = file.read_bytes()
    end = content.rfind(b"\n") + 1
    lines = content[:end].splitlines(keepends=True)
    while lines and not _is_json(lines[-1]):
        end -= len(lines.pop())
    for number, line in enumerate(lines, start=1):
        if not _is_json(line):
            found = "a line that is not a JSON object, with readable lines after it"
            raise _unreadable(f"{file}: line {number}", found)
    if end < len(content):
        with file.open("r+b") as stream:
            stream.truncate(end)
            os.fsync(stream.fileno())
    return len(content) - end


def _is_json(line: bytes) -> bool:
    with suppress(ValueError):
        return isinstance(json.loads(line), dict)
    return False


def _unreadable(where: Path | str, found: str) -> ConfigurationError:
    return ConfigurationError.from_problems(
        [
            Problem(
                where=str(where),
                found=found,
                expected="one JSON object per line, all of them as they were written",
                fix="restore the file from a copy; or delete it, and a resume takes up the results of the trials",
            )
        ],
        subject="the journal",
    )


def read_reports(file: Path) -> tuple[tuple[int, int, float], ...]:
    """Return (trial, epoch, value as measured) in the order in which they were appended; a torn last line is left out.

    Stopping rules are rebuilt from this order, so that each decision sees the same prefix again.
    """
    if not file.exists():
        return ()
    reports: dict[tuple[int, int], float] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
        with suppress(ValueError):
            entry = json.loads(line)
            if "intermediate_value" in entry:
                reports.setdefault((entry["trial_id"], entry["step"]), float(entry["intermediate_value"]))
    return tuple((trial, epoch, value) for (trial, epoch), value in reports.items())
