"""`journal.log`: the study as an Optuna journal, for optuna-dashboard and whoever loads it with Optuna.

A projection of the event log: only `automl.storage.legacy` reads it, and it is made anew at every start of the study.
Whole assignments are kept beside Optuna's parameters, because trial 0 may lie outside the searched range.
"""

from __future__ import annotations

import errno
import json
import logging
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import TrialState as OptunaState

from automl.regular_file import followed
from automl.samplers.distributions import representable
from automl.storage.deletion import delete
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from automl.samplers.history import Observation
    from automl.study.model import StudyPlan

logger = logging.getLogger(__name__)

_ASSIGNMENT, _ORIGIN, _REPLICATE = "automl:assignment", "automl:origin", "automl:replicate"
_STATES = {
    TrialState.COMPLETED: OptunaState.COMPLETE,
    TrialState.STOPPED: OptunaState.PRUNED,
    TrialState.DIVERGED: OptunaState.FAIL,
    TrialState.FAILED: OptunaState.FAIL,
}


class _OneWriter(JournalFileOpenLock):
    """No lock: the process that runs the study is the only writer, and Optuna's own would cost two files per line."""

    def acquire(self) -> bool:
        """Do nothing."""
        return True

    def release(self) -> None:
        """Do nothing."""


class _OneReader(JournalFileBackend):
    """Gives back what was appended since the last call: nobody else writes, and the whole file need not be known."""

    def __init__(self, file: Path) -> None:
        super().__init__(str(file), lock_obj=_OneWriter(str(file)))
        self._file = file
        self._fresh: list[dict[str, Any]] = []

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append them to the file, and keep them until they are read."""
        if self._file.is_symlink():
            raise FileExistsError(errno.EEXIST, "it is a link, not a file", str(self._file))
        super().append_logs(logs)
        self._fresh += logs

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield what was appended, once; ``log_number_from`` says the same."""
        del log_number_from
        fresh, self._fresh = self._fresh, []
        yield from json.loads(json.dumps(fresh))


class OptunaJournal:
    """Writes what is new in a history to a file, which it replaces; one that cannot be written is given up."""

    def __init__(self, file: Path, plan: StudyPlan) -> None:
        self._file = file
        self._plan = plan
        self._signs = tuple(o.direction.sign for o in plan.objectives)
        self._ids: dict[int, int] = {}
        self._written: dict[int, Observation] = {}
        self._storage: JournalStorage | None = None
        self._study = 0
        self._is_given_up = False
        self._ended: optuna.trial.FrozenTrial | None = None
        """Stands in Optuna's memory for every trial that has ended."""

    def follow(self, plan: StudyPlan) -> None:
        """Write later trials with the ranges of a plan whose ranges have grown."""
        self._plan = plan

    def update(self, trial: Observation) -> None:
        """Write what the journal lacks of a trial; trials come in order of their numbers."""
        if self._is_given_up or self._written.get(trial.number) is trial:
            return
        try:
            storage = self._storage or self._open()
            self._write(storage, trial)
            self._written[trial.number] = trial
            if not trial.is_open:
                self._forget(storage, trial.number)
        except Exception as error:  # noqa: BLE001 # Optuna's too: it is a projection, and the study goes on without it
            self._is_given_up = True
            logger.warning("the Optuna journal %s cannot be written (%s); the study continues", self._file, error)

    def _open(self) -> JournalStorage:
        delete(self._file, inside=followed(self._file.parent))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = JournalStorage(_OneReader(self._file))
        directions = [StudyDirection[o.direction.name] for o in self._plan.objectives]
        self._study = int(storage.create_new_study(directions, self._plan.name))
        storage.set_study_system_attr(self._study, "study:metric_names", [o.metric for o in self._plan.objectives])
        self._storage = storage
        return storage

    def _write(self, storage: JournalStorage, trial: Observation) -> None:
        before = self._written.get(trial.number)
        if before is None:
            self._ids[trial.number] = storage.create_new_trial(self._study, template_trial=self._template(trial))
        known = dict(before.curve) if before is not None else {}
        for epoch, value in trial.curve:
            if epoch not in known:
                storage.set_trial_intermediate_value(self._ids[trial.number], epoch, self._signs[0] * value)
        if not trial.is_open and (before is None or before.is_open):
            values = [sign * value for sign, value in zip(self._signs, trial.values, strict=False)]
            storage.set_trial_state_values(self._ids[trial.number], _STATES[trial.state], values or None)

    def _forget(self, storage: JournalStorage, number: int) -> None:
        """Let Optuna forget a trial of which nothing more will be written: it would keep 4 KB of each."""
        known = storage._replay_result._trials  # noqa: SLF001 # there is no public way, and it is read by number alone
        known[self._ids[number]] = self._ended = self._ended or known[self._ids[number]]

    def _template(self, trial: Observation) -> optuna.trial.FrozenTrial:
        parameters, distributions = representable(self._plan.space, trial.assignment)
        attributes: dict[str, Any] = {_ASSIGNMENT: dict(trial.assignment), _ORIGIN: str(trial.origin)}
        if trial.replicate_of is not None:
            attributes[_REPLICATE] = [trial.replicate_of, trial.seed]
        return optuna.trial.create_trial(
            state=OptunaState.RUNNING, params=parameters, distributions=distributions, user_attrs=attributes
        )
