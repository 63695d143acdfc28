"""The searcher that every sampler runs in: numbers trials, keeps their history, replaces duplicates.

It holds nothing that does not follow from the study's events: observing the same proposals, values and ends again gives
the same history, in any process, and observing one twice changes nothing. A sampler never sees a value that is not
finite.
"""

from __future__ import annotations

import json
import math
import threading
from bisect import insort
from collections import Counter
from dataclasses import fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from automl.samplers.elastic import ends_at, kept_off_ends, next_growth, with_range
from automl.samplers.history import History, Observation
from automl.samplers.neighbours import explore, unseen_assignment
from automl.samplers.sampler import Candidate
from automl.study.causes import Origin, OriginKind
from automl.study.finite import is_finite
from automl.study.packed import PackedCurve
from automl.study.trial import Proposal, TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.samplers.elastic import Growth
    from automl.samplers.sampler import Sampler
    from automl.space.values import Scalar
    from automl.study.earlier import Agreement
    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult

# The points of a grid are promised beforehand.
_FIXED_DESIGN = "grid"


class Searcher:
    """Proposes trials and observes what becomes of them.

    Raises:
        ValueError: from the methods that take a trial's number, where no trial has it.
    """

    def __init__(self, plan: StudyPlan, sampler: Sampler) -> None:
        self._plan = plan
        self._sampler = sampler
        self._starts = starting_points(plan)
        self._signs = tuple(o.direction.sign for o in plan.objectives)
        self._lock = threading.RLock()
        self._observations: list[Observation] = []
        self._finished: list[Observation] = []
        """Those that ended or were paused, in the order in which they did."""
        self._next_place = 0
        self._history: History | None = None
        """Of these observations; None where they have changed since it was made."""
        self._seen: set[int] = set()
        self._prepared_place: int | None = None
        self._examined: int | None = None
        self._at_ends: Counter[tuple[str, str]] = Counter()

    @property
    def history(self) -> History:
        """What the sampler knows."""
        with self._lock:
            if self._history is None:
                self._history = History.of(self._observations, self._finished)
            return self._history

    def observation(self, number: int) -> Observation:
        """Return what the sampler knows of one trial."""
        with self._lock:
            return self._known(number)

    def _observe(self, observation: Observation) -> None:
        """Add a trial, or replace what is known of it."""
        before = self._observations[observation.number : observation.number + 1]
        self._observations[observation.number : observation.number + 1] = [observation]
        if any(o.finished_as is not None for o in before):
            self._finished = [o for o in self._finished if o.number != observation.number]
        if observation.finished_as is not None:
            self._next_place = max(self._next_place, 1 + observation.finished_as)
            insort(self._finished, observation, key=attrgetter("finished_as"))
        self._history = None

    def is_ready(self) -> bool:
        """Tell whether `ask` answers at once; else the sampler begins, without the searcher's lock."""
        with self._lock:
            number = len(self._observations)
            is_given = number < len(self._starts) or not self._plan.space.parameters
            return is_given or self._sampler.is_ready(self.history, number)

    def prepare(self) -> None:
        """Let the sampler compute ahead, in the background, what the next proposal takes."""
        with self._lock:
            self._prepared_place = self._next_place
            self._sampler.prepare(self.history)

    def growth(self) -> Growth | None:
        """Return the range that is to grow now, because good trials gather at an end that was derived."""
        with self._lock:
            ended = self._next_place
            if self._plan.sampler == _FIXED_DESIGN or ended == self._examined:
                return None
            self._examined = ended
            return next_growth(self._plan.space, self.history)

    def grow(self, path: str, low: float, high: float) -> StudyPlan:
        """Search another range of a parameter from now on; return the plan with it."""
        with self._lock:
            self._plan = replace(self._plan, space=with_range(self._plan.space, path, low, high))
            self._sampler = type(self._sampler).for_plan(self._plan)
            self._examined = None
            return self._plan

    def ask(self) -> Proposal | None:
        """Return the next proposal, observed as running, or None when every assignment has been tried."""
        with self._lock:
            candidate = self._candidate(len(self._observations))
            return None if candidate is None else self._add(candidate)

    def repeat(self, number: int, seed: int) -> Proposal:
        """Return a replicate of a trial, observed as running."""
        with self._lock:
            origin = Origin(OriginKind.REPLICATE, parent=number, seed=seed)
            return self._add(Candidate(self._known(number).assignment, origin), replicate_of=number, seed=seed)

    def clone(self, parent: int, epoch: int) -> Proposal:
        """Return a trial near another one, from whose checkpoint of an epoch it starts, observed as running."""
        with self._lock:
            number = len(self._observations)
            known = self._known(parent).assignment
            assignment = self._off_ends(explore(self._plan.space, known, seed=self._plan.seed, number=number), number)
            return self._add(Candidate(assignment, Origin(OriginKind.CLONE, parent=parent, epoch=epoch)))

    def _add(self, candidate: Candidate, *, replicate_of: int | None = None, seed: int | None = None) -> Proposal:
        proposal = Proposal(
            number=len(self._observations),
            assignment=dict(candidate.assignment),
            origin=candidate.origin,
            replicate_of=replicate_of,
            seed=seed,
        )
        self.proposed(proposal)
        self.prepare()
        return proposal

    def proposed(self, proposal: Proposal) -> None:
        """Observe a proposal as running; one that is known changes nothing.

        Raises:
            ValueError: its number does not follow the last one.
        """
        with self._lock:
            if proposal.number < len(self._observations):
                return
            if proposal.number > len(self._observations):
                raise ValueError(f"trial {proposal.number} follows trial {len(self._observations) - 1}")
            known = {field.name: getattr(proposal, field.name) for field in fields(proposal)}
            running = Observation(**known, state=TrialState.RUNNING)
            self._observe(running)
            self._seen.add(_key(proposal.assignment))
            for parameter in self._plan.space.parameters if proposal.replicate_of is None else ():
                found = ends_at(parameter, proposal.assignment.get(parameter.path))
                self._at_ends.update((parameter.path, end) for end in found)

    def _candidate(self, number: int) -> Candidate | None:
        if number < len(self._starts):
            return self._starts[number]
        candidate = self._sampler.propose(self.history, number) if self._plan.space.parameters else None
        if candidate is not None:
            candidate = replace(candidate, assignment=self._off_ends(candidate.assignment, number))
        if candidate is None or _key(candidate.assignment) not in self._seen:
            return candidate
        other = unseen_assignment(
            self._plan.space, candidate.assignment, lambda a: _key(a) in self._seen, seed=self._plan.seed, number=number
        )
        return None if other is None else Candidate(other, candidate.origin)

    def _off_ends(self, assignment: Mapping[str, Scalar], number: int) -> Mapping[str, Scalar]:
        return kept_off_ends(self._plan.space, assignment, self._at_ends, seed=self._plan.seed, number=number)

    def observe(self, number: int, epoch: int, value: float) -> None:
        """Observe one intermediate value of the primary objective, as measured. Repeating an epoch changes nothing.

        Raises:
            ValueError: the value is not finite.
        """
        if not is_finite(value):
            raise ValueError(f"trial {number}, epoch {epoch}: {value} is not finite")
        with self._lock:
            trial = self._known(number)
            if trial.is_open and all(known != epoch for known, _ in trial.curve):
                curve = tuple(sorted((*trial.curve, (epoch, self._signs[0] * value))))
                self._observe(replace(trial, curve=curve))
                # A promoted trial runs, and nothing was asked for since others have ended.
                if self._prepared_place not in {None, self._next_place}:
                    self.prepare()

    def tell(self, result: TrialResult) -> None:
        """Observe how a trial ended; once. A result that is not final leaves the trial open.

        COMPLETED and STOPPED results count with their value, DIVERGED ones as a failure to be avoided, FAILED ones are
        neither good nor pending.
        """
        with self._lock:
            trial = self._known(result.number)
            if trial.is_open and result.state.is_final:
                self._observe(self._ended(trial, result))

    def pause(self, result: TrialResult) -> None:
        """Observe what a paused trial counts as; without a value of every objective, nothing.

        The trial stays open. Until it ends, or is paused again, it counts with these values like a STOPPED one. Whether
        it keeps a constraint that is measured after the training is unknown as long as it is paused.
        """
        with self._lock:
            trial = self._known(result.number)
            epoch = result.curve[-1][0] if result.curve else None
            paused = self._ended(trial, replace(result, state=TrialState.STOPPED), paused_at=epoch)
            if trial.is_open and paused.values and epoch is not None and epoch != trial.paused_at:
                self._observe(paused)

    def _known(self, number: int) -> Observation:
        if not 0 <= number < len(self._observations):
            raise ValueError(f"trial {number} was never proposed")
        return self._observations[number]

    def _ended(self, trial: Observation, result: TrialResult, *, paused_at: int | None = None) -> Observation:
        """Return a trial with its end: a result without every objective and constraint, finite, counts as failed.

        A paused one need not have the constraints.
        """
        ended = replace(
            trial,
            state=result.state,
            curve=trial.curve if paused_at is not None else PackedCurve(trial.curve),
            finished_as=self._next_place,
            paused_at=paused_at,
            elapsed_s=result.elapsed_s,
        )
        if not result.state.has_value:
            return ended
        objectives = [objective.metric for objective in self._plan.objectives]
        wanted = objectives if paused_at is not None else self._plan.wanted_metrics
        if not all(is_finite(result.values.get(metric, math.nan)) for metric in wanted):
            return replace(ended, state=TrialState.FAILED)
        return replace(
            ended,
            values=tuple(sign * result.values[metric] for sign, metric in zip(self._signs, objectives, strict=True)),
            violations=tuple(constraint.violation(result.values) for constraint in self._plan.constraints),
        )

    def agreement(self) -> Mapping[str, Agreement] | None:
        """Return how alike each earlier study and this one are so far; see `Sampler.agreement`."""
        with self._lock:
            return self._sampler.agreement(self.history)

    def expected_improvement(self) -> float | None:
        """Return what the best further trial is expected to gain in the primary objective; None if unknown.

        The estimate comes from a Gaussian process whatever the sampler, so a limit on it means the same under each.
        """
        from automl.samplers.gaussian_process.sampler import GaussianProcessSampler  # noqa: PLC0415 - where it is asked for

        return GaussianProcessSampler(self._plan.space, self._plan.seed).expected_improvement(self.history)


def starting_points(plan: StudyPlan) -> tuple[Candidate, ...]:
    """Return the first proposals, without repetitions.

    Trial 0 is the template untouched, even where it lies outside the searched range: it is what the skill would train
    without a search. The others, such as points of earlier studies, are moved into the space.

    Args:
        plan: The study; where it has no ``first_trials``, the space's defaults are trial 0.
    """
    first, *others = plan.first_trials or (plan.space.default_assignment(),)
    candidates = [Candidate(dict(first), plan.origin)]
    for i, point in enumerate(others, start=1):
        origin = plan.first_origins[i] if i < len(plan.first_origins) else Origin(OriginKind.GIVEN)
        candidate = Candidate(plan.space.repair(point), origin)
        if all(candidate.assignment != other.assignment for other in candidates):
            candidates.append(candidate)
    return tuple(candidates)


def _key(assignment: Mapping[str, Scalar]) -> int:
    # JSON keeps True and 1 apart, and 1 and 1.0; of thousands of trials the texts would take more room than all else.
    return hash(json.dumps(assignment, sort_keys=True))
