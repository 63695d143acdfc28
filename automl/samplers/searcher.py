"""The searcher that every sampler runs in: numbers trials, keeps the journal, replaces duplicates.

Reopening a journal gives the searcher as it was: history, open proposals and the next number come from the file.
"""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.samplers.base import Searcher
from automl.samplers.distributions import representable
from automl.samplers.history import History, Observation
from automl.samplers.sampler import Candidate
from automl.samplers.unseen import unseen_assignment
from automl.storage.optuna_journal import TrialEnd
from automl.study.causes import Origin, OriginKind
from automl.study.model import Direction
from automl.study.trial import Proposal, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from automl.samplers.sampler import Sampler
    from automl.space.values import Scalar
    from automl.storage.optuna_journal import Journal, JournalTrial
    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult


class JournalSearcher(Searcher):
    """Ask, observe and tell on top of a journal and a sampler.

    Args:
        plan: The study.
        journal: Its open journal.
        sampler: Proposes assignments.
        starts: The first proposals with their origins; trial 0 first.
    """

    def __init__(self, plan: StudyPlan, journal: Journal, sampler: Sampler, starts: Sequence[Candidate]) -> None:
        self._plan = plan
        self._journal = journal
        self._sampler = sampler
        self._starts = tuple(starts)
        self._signs = tuple(1.0 if o.direction is Direction.MAXIMIZE else -1.0 for o in plan.objectives)
        self._lock = threading.RLock()
        self._history = History(observations=tuple(self._observation_of(t) for t in journal.trials()))
        self._seen = {_key(o.assignment) for o in self._history.observations}
        self._prepare()

    @property
    def history(self) -> History:
        """What the sampler knows."""
        return self._history

    def is_ready(self) -> bool:
        """Tell whether `ask` answers at once; else the sampler begins, without the searcher's lock."""
        with self._lock:
            number = len(self._history.observations)
            is_given = number < len(self._starts) or not self._plan.space.parameters
            return is_given or self._sampler.is_ready(self._history, number)

    def ask(self) -> Proposal | None:
        """Return the next proposal, journaled as running, or None when every assignment has been tried."""
        with self._lock:
            draw = self._draw(len(self._history.observations))
            if draw is None:
                return None
            proposal = self._add(draw)
            self._prepare()
            return proposal

    def _prepare(self) -> None:
        self._prepared_place = self._history.next_place
        self._sampler.prepare(self._history)

    def repeat(self, number: int, seed: int) -> Proposal:
        """Return a replicate of a trial, journaled as running.

        Raises:
            ValueError: no trial has the number.
        """
        with self._lock:
            origin = Origin(OriginKind.REPLICATE, parent=number, seed=seed)
            draw = Candidate(assignment=self._known(number).assignment, origin=origin)
            return self._add(draw, replicate_of=number, seed=seed)

    def _add(self, draw: Candidate, *, replicate_of: int | None = None, seed: int | None = None) -> Proposal:
        proposal = Proposal(
            number=len(self._history.observations),
            assignment=dict(draw.assignment),
            origin=draw.origin,
            replicate_of=replicate_of,
            seed=seed,
        )
        self._journal.add_trial(proposal, *representable(self._plan.space, proposal.assignment))
        running = Observation(
            number=proposal.number,
            assignment=proposal.assignment,
            origin=draw.origin,
            state=TrialState.RUNNING,
            replicate_of=replicate_of,
            seed=seed,
        )
        self._history = self._history.with_trial(running)
        self._seen.add(_key(proposal.assignment))
        return proposal

    def _draw(self, number: int) -> Candidate | None:
        if number < len(self._starts):
            return self._starts[number]
        draw = self._sampler.propose(self._history, number) if self._plan.space.parameters else None
        if draw is None or _key(draw.assignment) not in self._seen:
            return draw
        other = unseen_assignment(
            self._plan.space, draw.assignment, lambda a: _key(a) in self._seen, seed=self._plan.seed, number=number
        )
        return None if other is None else Candidate(assignment=other, origin=draw.origin)

    def observe(self, number: int, epoch: int, value: float) -> None:
        """Journal one intermediate value of the leading objective, as measured.

        Raises:
            ValueError: the value is not finite, or no trial has the number.
        """
        if not math.isfinite(value):
            raise ValueError(f"trial {number}, epoch {epoch}: {value} is not finite and cannot be learnt")
        with self._lock:
            trial = self._known(number)
            if not trial.is_open or any(known == epoch for known, _ in trial.curve):
                return
            self._journal.add_value(number, epoch, value)
            self._history = self._history.with_value(number, epoch, self._signs[0] * value)
            if self._prepared_place != self._history.next_place:
                self._prepare()  # a promoted trial runs, and nobody has asked since others have ended

    def tell(self, result: TrialResult) -> None:
        """Journal how a trial ended. A result that is not final leaves the trial open.

        Raises:
            ValueError: no trial has the number.
        """
        with self._lock:
            trial = self._known(result.number)
            if not trial.is_open or not result.state.is_final:
                return
            end = self._end_of(result)
            self._journal.end_trial(result.number, end)
            self._history = self._history.with_trial(self._ended(trial, end))

    def pause(self, result: TrialResult) -> None:
        """Journal what a paused trial counts as; without a value of every objective, nothing.

        Whether it keeps a constraint that is measured after the training is unknown as long as it is paused.

        Raises:
            ValueError: no trial has the number.
        """
        with self._lock:
            trial = self._known(result.number)
            end = self._end_of(replace(result, state=TrialState.STOPPED), is_paused=True)
            epoch = result.curve[-1][0] if result.curve else None
            if not trial.is_open or not end.values or epoch is None or epoch == trial.paused_at:
                return
            self._journal.pause_trial(result.number, end, epoch)
            self._history = self._history.with_trial(self._ended(trial, end, paused_at=epoch))

    def adopt(self, propose: Callable[[int], Mapping[str, Scalar]], origin: Origin) -> Proposal:
        """Return, journaled as running, a proposal that the study itself makes."""
        with self._lock:
            number = len(self._history.observations)
            proposal = self._add(Candidate(assignment=propose(number), origin=origin))
            self._prepare()
            return proposal

    def restore(self, results: Sequence[TrialResult]) -> None:
        """Take up results that the journal does not hold: a crash came before, or the file lost its end.

        A number between known ones that has no result was being tried; it is asked for anew.
        """
        with self._lock:
            for result in sorted(results, key=lambda result: result.number):
                while len(self._history.observations) < result.number and self.ask() is not None:
                    pass
                if len(self._history.observations) == result.number:
                    origin = result.origin or Origin(OriginKind.RESTORED)
                    draw = Candidate(assignment=result.assignment, origin=origin)
                    self._add(draw, replicate_of=result.replicate_of, seed=result.seed)
                # What an open trial measured last may be measured again.
                for epoch, value in result.curve if result.state.is_final else ():
                    self.observe(result.number, epoch, value)
                self.tell(result)

    def _known(self, number: int) -> Observation:
        if not 0 <= number < len(self._history.observations):
            raise ValueError(f"trial {number} was never proposed")
        return self._history.observations[number]

    def _end_of(self, result: TrialResult, *, is_paused: bool = False) -> TrialEnd:
        """Return what to journal: a result without every objective and constraint, finite, teaches nothing.

        A paused one need not have the constraints.
        """
        order = self._history.next_place
        if not result.state.has_value:
            return TrialEnd(state=result.state, values=(), reason=result.reason, finished_as=order)
        measured = {metric: value for metric, value in result.values.items() if math.isfinite(value)}
        objectives = [objective.metric for objective in self._plan.objectives]
        wanted = objectives if is_paused else self._plan.wanted_metrics
        absent = [metric for metric in wanted if metric not in measured]
        if not absent:
            values = tuple(result.values[metric] for metric in objectives)
            violations = tuple(c.violation(result.values) for c in self._plan.constraints)
            end = TrialEnd(state=result.state, values=values, reason=result.reason, finished_as=order)
            return replace(end, violations=violations)
        reason = f"{result.reason}; no value of {', '.join(absent)}".lstrip("; ")
        # A trial that was stopped before its first value is no failure: it taught nothing, that is all.
        return TrialEnd(state=TrialState.FAILED, values=(), reason=reason, finished_as=order)

    def _ended(self, trial: Observation, end: TrialEnd, *, paused_at: int | None = None) -> Observation:
        values = tuple(sign * value for sign, value in zip(self._signs, end.values, strict=True)) if end.values else ()
        return replace(
            trial,
            state=end.state,
            values=values,
            violations=end.violations,
            finished_as=end.finished_as,
            paused_at=paused_at,
        )

    def _observation_of(self, trial: JournalTrial) -> Observation:
        of, seed = trial.replicate or (None, None)
        running = Observation(
            replicate_of=of,
            seed=seed,
            number=trial.number,
            assignment=dict(trial.assignment),
            origin=trial.origin,
            state=TrialState.RUNNING,
            curve=tuple((epoch, self._signs[0] * value) for epoch, value in sorted(trial.intermediate.items())),
        )
        if trial.end is not None:
            return self._ended(running, trial.end)
        return running if trial.paused is None else self._ended(running, trial.paused[0], paused_at=trial.paused[1])

    def ended(self) -> tuple[int, ...]:
        """Return the numbers of the trials that have ended, in the order in which they did."""
        return tuple(trial.number for trial in self._history.finished if not trial.is_open)

    def open_proposals(self) -> tuple[Proposal, ...]:
        """Return what was asked for and not told yet, in order of the numbers."""
        with self._lock:
            return tuple(
                Proposal(
                    number=o.number,
                    assignment=dict(o.assignment),
                    origin=o.origin,
                    replicate_of=o.replicate_of,
                    seed=o.seed,
                )
                for o in self._history.observations
                if o.is_open
            )

    def expected_improvement(self) -> float | None:
        """Return what the best further trial is expected to gain in the leading objective; None if unknown."""
        from automl.samplers.gaussian_process.improvement import expected_improvement  # noqa: PLC0415 - only where it is asked for

        return expected_improvement(self._plan.space, self._plan.seed, self._history)

    def close(self) -> None:
        """Release the journal; doing so twice changes nothing."""
        self._journal.close()


def _key(assignment: Mapping[str, Scalar]) -> str:
    # JSON keeps True and 1 apart, and 1 and 1.0.
    return json.dumps(assignment, sort_keys=True)
