"""A searcher whose study lives in a folder, as a study's event log does: opened again, it observes the same again."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from automl.samplers.registry import make_sampler
from automl.samplers.searcher import Searcher
from automl.study.trial import Proposal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult


class RecordedSearcher(Searcher):
    """Writes each observation to a file, and observes what the file holds when it is made.

    Args:
        plan: The study.
        file: The record; made if it does not exist.
    """

    def __init__(self, plan: StudyPlan, file: Path) -> None:
        super().__init__(plan, make_sampler(plan))
        self._file = file
        self._is_replaying = True
        file.parent.mkdir(exist_ok=True)
        file.touch()
        with file.open("rb") as stream:
            while stream.peek(1):
                name, arguments = pickle.load(stream)  # noqa: S301 # written below
                getattr(self, name)(*arguments)
        self._is_replaying = False
        self.prepare()

    def proposed(self, proposal: Proposal) -> None:
        self._note(super().proposed, proposal)

    def observe(self, number: int, epoch: int, value: float) -> None:
        self._note(super().observe, number, epoch, value)

    def tell(self, result: TrialResult) -> None:
        self._note(super().tell, result)

    def pause(self, result: TrialResult) -> None:
        self._note(super().pause, result)

    def open_proposals(self) -> list[Proposal]:
        """Return what was proposed and has not ended, in order of the numbers."""
        return [
            Proposal(
                number=o.number,
                assignment=dict(o.assignment),
                origin=o.origin,
                replicate_of=o.replicate_of,
                seed=o.seed,
            )
            for o in self.history.observations
            if o.is_open
        ]

    def ended(self) -> list[int]:
        """Return the numbers of the trials that have ended, in the order in which they did."""
        return [trial.number for trial in self.history.finished if not trial.is_open]

    def _note(self, observe: Callable[..., None], *arguments: object) -> None:
        observe(*arguments)
        if not self._is_replaying:
            with self._file.open("ab") as stream:
                pickle.dump((observe.__name__, arguments), stream)
