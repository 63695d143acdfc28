"""Where the next attempt of a study comes from: retries, promotions, copies, the searcher, replicates in this order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.executor.attempt_states import Paused, Running, Waiting
from automl.executor.clones import propose_copy
from automl.executor.replication import missing_replicates
from automl.study.result import StudyResult

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from automl.executor.reports import ReportJournal
    from automl.samplers.base import Searcher
    from automl.schedulers.base import Scheduler
    from automl.study.model import StudyPlan
    from automl.study.trial import Proposal, TrialResult


@dataclass(slots=True, kw_only=True)
class Standing:
    """Where every trial of a study stands.

    Attributes:
        waiting: Attempts that are to be started, the next one first.
        running: Number -> attempt that runs.
        paused: Number -> trial that the rule may promote.
        finished: Final results in the order in which they ended.
        interrupted: Number -> result of a trial that a resume continues.
        search_end: Why the search is over, although replicates may follow; None while it is not.
    """

    waiting: deque[Waiting]
    running: dict[int, Running] = field(default_factory=dict)
    paused: dict[int, Paused] = field(default_factory=dict)
    finished: list[TrialResult] = field(default_factory=list)
    interrupted: dict[int, TrialResult] = field(default_factory=dict)
    search_end: str | None = None

    @property
    def results(self) -> list[TrialResult]:
        """What is known of the trials of which nothing runs."""
        return [*self.finished, *self.interrupted.values(), *(paused.result for paused in self.paused.values())]

    def study_result(self, plan: StudyPlan, failure: str | None, end_reason: str | None) -> StudyResult:
        """Return the trials of which nothing runs as the study's result.

        Args:
            plan: The study.
            failure: Why errors have ended it.
            end_reason: Why no further trial was started; None where none was left.
        """
        all_ended = f"all trials have ended ({len(self.results)})"
        return StudyResult(
            objective=plan.objective,
            trials=tuple(sorted(self.results, key=lambda result: result.number)),
            failure=failure,
            further=plan.objectives[1:],
            constraints=plan.constraints,
            end_reason=end_reason or self.search_end or all_ended,
        )

    def used_s(self, now_s: float) -> float:
        """Return the seconds that all trials together have run by a monotonic time."""
        runs = [now_s - running.since_s + running.task.earlier_s for running in self.running.values()]
        return sum(result.elapsed_s for result in self.results) + sum(runs)

    @property
    def open_proposals(self) -> list[Proposal]:
        """The proposals that run or wait."""
        return [*(r.proposal for r in self.running.values()), *(w.proposal for w in self.waiting)]


class Supply:
    """Chooses what runs next.

    Args:
        plan: The study.
        standing: Where its trials stand; kept by the study's loop.
        searcher: Proposes.
        rule: Promotes, and asks for copies.
        reports: Remembers promotions.
    """

    def __init__(
        self, plan: StudyPlan, standing: Standing, *, searcher: Searcher, rule: Scheduler, reports: ReportJournal
    ) -> None:
        self._plan = plan
        self._standing = standing
        self._searcher = searcher
        self._rule = rule
        self._reports = reports
        self.is_thinking = False
        """The searcher was asked and is not ready: ask again."""

    def next(self, give_up_paused: Callable[[], None]) -> Waiting | None:
        """Return the next attempt; None when there is none now.

        Args:
            give_up_paused: Called when the search is over: who is still paused has ended.

        Raises:
            OSError: a journal cannot be written.
        """
        if self._standing.waiting:
            return self._standing.waiting.popleft()
        if (promoted := self._promotion()) is not None:
            self._reports.append_promotion(promoted)
            self._rule.promote(promoted)
            return Waiting(self._standing.paused.pop(promoted).proposal)
        proposal = self._copy() or self._ask()
        if proposal is None and self._plan.replicates and not self.is_searching:
            give_up_paused()
            missing = self._missing_replicates()
            proposal = self._searcher.repeat(*missing[0]) if missing else None
        return None if proposal is None else Waiting(proposal)

    @property
    def is_exhausted(self) -> bool:
        """Nothing is left to start."""
        is_left = self._standing.waiting or self._has_proposals or self._promotion() is not None
        return not (is_left or self._missing_replicates())

    @property
    def is_searching(self) -> bool:
        """Trials of the search run, or will be started."""
        runs = any(r.proposal.replicate_of is None for r in self._standing.running.values())
        return runs or self._has_proposals

    @property
    def _has_proposals(self) -> bool:
        standing = self._standing
        searched = [t.replicate_of for t in (*standing.finished, *standing.interrupted.values())].count(None)
        searched += [p.replicate_of for p in standing.open_proposals].count(None)
        return standing.search_end is None and searched + len(standing.paused) < self._plan.budget.trials

    def _promotion(self) -> int | None:
        if self._standing.search_end is not None:
            return None
        is_last = not (self.is_searching or self._standing.waiting)
        return self._rule.next_promotion(self._standing.paused.keys(), is_last=is_last)

    def _copy(self) -> Proposal | None:
        copy = self._rule.next_copy()
        if copy is None or not self._has_proposals:
            return None
        assignments = {result.number: result.assignment for result in self._standing.finished}
        assignments |= {number: running.proposal.assignment for number, running in self._standing.running.items()}
        assignments |= {waiting.proposal.number: waiting.proposal.assignment for waiting in self._standing.waiting}
        proposal = propose_copy(self._plan, self._searcher, copy, assignments[copy.parent])
        self._rule.copied()
        return proposal

    def _ask(self) -> Proposal | None:
        self.is_thinking = self._has_proposals and not self._searcher.is_ready()
        return self._searcher.ask() if self._has_proposals and not self.is_thinking else None

    def _missing_replicates(self) -> tuple[tuple[int, int], ...]:
        known = [(proposal.replicate_of, proposal.seed) for proposal in self._standing.open_proposals]
        return missing_replicates(self._plan, self._standing.finished, known)
