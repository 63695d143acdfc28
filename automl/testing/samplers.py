"""What every searcher must do, whatever its sampler. Subclass it and name the sampler."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from automl.samplers.gaussian_process.training_data import training_data_from
from automl.study.causes import Origin, OriginKind
from automl.study.objectives import parse_constraints
from automl.study.trial import TrialState
from automl.testing.recorded_searcher import RecordedSearcher
from automl.testing.studies import ACCURACY, EMPTY, MIXED, NESTED, SIZE, SMALL, ended, plan_of, score

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.samplers.searcher import Searcher
    from automl.space.search_space import SearchSpace
    from automl.study.trial import Proposal

ENDS = (TrialState.COMPLETED, TrialState.DIVERGED, TrialState.STOPPED, TrialState.FAILED, TrialState.COMPLETED)


def finish(
    searcher: Searcher, proposal: Proposal, state: TrialState = TrialState.COMPLETED, *, unit: float = 1.0
) -> None:
    """Report one intermediate value and how the trial ended; an accuracy of 1 counts as ``unit``."""
    value = score(proposal.assignment) if "lr" in proposal.assignment else 0.1 * proposal.number
    if state.has_value:
        searcher.observe(proposal.number, 0, unit * (value - 0.1))
    searcher.tell(ended(proposal.number, state, {"accuracy": unit * value} if state.has_value else {}))


def pause(searcher: Searcher, proposal: Proposal, epoch: int, value: float) -> None:
    """Report a value of an epoch and that the trial was paused there."""
    searcher.observe(proposal.number, epoch, value)
    result = ended(proposal.number, TrialState.INTERRUPTED, {"accuracy": value})
    searcher.pause(replace(result, curve=((epoch, value),)))


def play(searcher: Searcher, count: int, states: Sequence[TrialState] = ENDS, *, unit: float = 1.0) -> list[Proposal]:
    """Run a number of trials one after the other; return their proposals."""
    proposals = []
    for _ in range(count):
        proposal = searcher.ask()
        assert proposal is not None
        finish(searcher, proposal, states[proposal.number % len(states)], unit=unit)
        proposals.append(proposal)
    return proposals


class SearcherContract:
    """The abstract suite."""

    sampler: ClassVar[str]
    is_seeded: ClassVar[bool] = True

    def open(self, folder: Path, space: SearchSpace = MIXED, seed: int = 7) -> RecordedSearcher:
        return RecordedSearcher(plan_of(self.sampler, space, seed=seed), folder / "record")

    def test_trial_0_is_the_template_untouched_even_outside_its_range(self, tmp_path: Path) -> None:
        first = self.open(tmp_path).ask()

        assert first is not None
        assert (first.number, first.origin.kind) == (0, OriginKind.TEMPLATE)
        assert first.assignment == MIXED.default_assignment()
        assert first.assignment["lr"] == 3.0

    def test_proposals_are_valid_and_numbered_without_gaps(self, tmp_path: Path) -> None:
        proposals = play(self.open(tmp_path), 16)

        assert [p.number for p in proposals] == list(range(16))
        assert [MIXED.violations(p.assignment) for p in proposals[1:]] == [()] * 15

    def test_the_same_seed_and_history_give_the_same_assignments(self, tmp_path: Path) -> None:
        first = play(self.open(tmp_path / "a"), 11)
        second = play(self.open(tmp_path / "b"), 11)

        assert first == second

    def test_another_seed_gives_other_assignments(self, tmp_path: Path) -> None:
        first = play(self.open(tmp_path / "a", seed=1), 8)
        second = play(self.open(tmp_path / "b", seed=2), 8)

        assert [p.assignment for p in first] != [p.assignment for p in second]

    def test_a_searcher_that_observes_the_same_again_goes_on_as_if_it_had_not_been_closed(self, tmp_path: Path) -> None:
        whole = play(self.open(tmp_path / "whole"), 10)

        parts = []
        for _ in range(5):
            searcher = self.open(tmp_path / "parts")
            parts += play(searcher, 2)

        assert parts == whole

    def test_open_proposals_outlive_the_searcher(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 3)
        waiting = [searcher.ask(), searcher.ask()]

        reopened = self.open(tmp_path)

        assert list(reopened.open_proposals()) == waiting
        finish(reopened, reopened.open_proposals()[1])
        assert list(reopened.open_proposals()) == waiting[:1]
        following = reopened.ask()
        assert following is not None
        assert following.number == 5

    def test_history_is_rebuilt_to_the_last_digit(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 6)
        before = searcher.history

        assert self.open(tmp_path).history == before

    def test_trials_that_run_at_once_differ(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 9)

        waiting = [searcher.ask() for _ in range(4)]

        assert len({str(p.assignment) for p in waiting if p is not None}) == 4

    def test_a_value_that_is_not_finite_is_refused(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        searcher.ask()

        for value in (math.nan, math.inf, -math.inf, 1e200):
            with pytest.raises(ValueError, match="not finite"):
                searcher.observe(0, 0, value)

    @pytest.mark.parametrize("value", [math.nan, -1e200])
    def test_a_completed_trial_without_a_finite_value_has_failed(self, tmp_path: Path, value: float) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 2)
        searcher.ask()

        searcher.tell(ended(2, TrialState.COMPLETED, {"accuracy": value}))

        assert searcher.history.observations[2].state is TrialState.FAILED
        assert not searcher.open_proposals()

    def test_the_unit_of_the_objective_does_not_matter(self, tmp_path: Path) -> None:
        plain = play(self.open(tmp_path / "plain"), 11)

        for exponent in (480, -600):
            assert play(self.open(tmp_path / str(exponent)), 11, unit=2.0**exponent) == plain

    def test_equal_and_terrible_values_are_survived(self, tmp_path: Path) -> None:
        for name, values in {
            "equal": (0.5,),
            "zero": (0.0,),
            "tiny": (5e-324, 0.0),
            "far": (0.5, -1e150, 1e150),
        }.items():
            searcher = self.open(tmp_path / name)
            for number in range(11):
                proposal = searcher.ask()
                assert proposal is not None
                searcher.tell(ended(number, values={"accuracy": values[number % len(values)]}))
            assert searcher.growth() is None
            improvement = searcher.expected_improvement()
            assert improvement is None or 0.0 <= improvement < math.inf

    def test_telling_and_observing_twice_changes_nothing(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        searcher.ask()
        searcher.observe(0, 0, 0.1)
        searcher.observe(0, 0, 0.9)
        searcher.tell(ended(0))
        before = searcher.history

        searcher.tell(ended(0, TrialState.FAILED))
        searcher.observe(0, 1, 0.3)

        assert searcher.history == before
        assert before.observations[0].curve == ((0, 0.1),)

    def test_a_trial_that_was_never_proposed_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="never proposed"):
            self.open(tmp_path).tell(ended(3))

    def test_an_interrupted_trial_stays_open(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        searcher.ask()

        searcher.tell(ended(0, TrialState.INTERRUPTED))

        assert [p.number for p in searcher.open_proposals()] == [0]

    def test_the_order_in_which_trials_ended_outlives_the_searcher(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        proposals = [searcher.ask() for _ in range(3)]
        for number in (2, 0):
            finish(searcher, proposals[number] or pytest.fail("no proposal"))

        assert list(self.open(tmp_path).ended()) == [2, 0]

    @pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.DIVERGED, TrialState.STOPPED])
    def test_a_study_in_which_every_trial_ends_badly_goes_on(self, tmp_path: Path, state: TrialState) -> None:
        proposals = play(self.open(tmp_path), 12, states=(state,))

        assert len({str(p.assignment) for p in proposals}) == 12

    def test_a_discrete_space_is_tried_to_its_last_assignment_without_repeating_one(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path, SMALL)

        proposals = play(searcher, 9, states=(TrialState.COMPLETED,))

        assert len({str(p.assignment) for p in proposals}) == 9
        assert searcher.ask() is None

    def test_an_empty_space_is_one_trial(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path, EMPTY)

        first, second = searcher.ask(), searcher.ask()

        assert first is not None
        assert first.assignment == {}
        assert second is None

    def test_constraints_and_further_objectives_are_kept_and_survive_a_reopening(self, tmp_path: Path) -> None:
        plan = replace(
            plan_of(self.sampler, objectives=(ACCURACY, SIZE)), constraints=parse_constraints(["memory <= 8"])
        )
        searcher = RecordedSearcher(plan, tmp_path / "record")

        for number in range(12):
            proposal = searcher.ask()
            assert proposal is not None
            width = float(str(proposal.assignment["width"]))
            values = {"accuracy": score(proposal.assignment), "size": width, "memory": width / 4}
            # One trial in five lacks the memory: it is neither good nor pending.
            searcher.tell(ended(number, values=values if number % 5 != 4 else {"accuracy": 0.99, "size": 1.0}))
        before = searcher.history

        assert [o.state for o in before.observations].count(TrialState.FAILED) == 2
        assert {v for o in before.observations for v in o.violations} <= {-4.0, 0.0, 8.0}
        assert RecordedSearcher(plan, tmp_path / "record").history == before

    def test_a_clone_is_near_its_parent_and_its_origin_names_it(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 2, (TrialState.COMPLETED,))

        clone = searcher.clone(1, epoch=4)

        assert clone.origin == Origin(OriginKind.CLONE, parent=1, epoch=4)
        assert MIXED.violations(clone.assignment) == ()
        assert searcher.history.observations[2].assignment == clone.assignment

    def test_a_replicate_repeats_a_trial_and_survives_a_reopening(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 3)

        repeated = searcher.repeat(1, seed=99)

        assert repeated.assignment == searcher.history.observations[1].assignment
        assert (repeated.number, repeated.replicate_of, repeated.seed) == (3, 1, 99)
        reopened = self.open(tmp_path)
        assert list(reopened.open_proposals()) == [repeated]
        finish(reopened, repeated)
        following = reopened.ask()
        assert following is not None
        assert following.assignment != repeated.assignment

    def test_parameters_under_several_conditions_are_tried_exactly_where_they_act(self, tmp_path: Path) -> None:
        proposals = play(self.open(tmp_path, NESTED), 14)

        assert [NESTED.violations(p.assignment) for p in proposals] == [()] * 14
        assert {"momentum" in p.assignment for p in proposals} == {True, False}

    def test_a_crashed_trial_is_neither_pending_nor_fitted(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 6, states=(TrialState.COMPLETED,))
        crashed = searcher.ask()
        assert crashed is not None

        finish(searcher, crashed, TrialState.FAILED)

        data = training_data_from(searcher.history)
        assert dict(crashed.assignment) not in [dict(a) for a in (*data.assignments, *data.pending)]
        assert len(data.assignments) == 6
        assert not searcher.history.pending

    def test_a_paused_trial_counts_with_what_it_has_measured_and_is_not_waited_for(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 6, states=(TrialState.COMPLETED,))
        paused = searcher.ask()
        assert paused is not None

        pause(searcher, paused, epoch=1, value=0.8)

        data = training_data_from(searcher.history)
        assert dict(paused.assignment) == dict(data.assignments[-1])
        assert data.noise[-1] > data.noise[0]
        assert not data.pending
        assert list(searcher.open_proposals()) == [paused]
        assert list(searcher.ended()) == list(range(6))

    def test_what_a_paused_trial_counts_as_survives_a_reopening_and_gives_way_to_its_end(self, tmp_path: Path) -> None:
        searcher = self.open(tmp_path)
        play(searcher, 4, states=(TrialState.COMPLETED,))
        paused, other = searcher.ask(), searcher.ask()
        assert paused is not None
        assert other is not None
        pause(searcher, paused, epoch=1, value=0.3)
        pause(searcher, paused, epoch=1, value=0.9)  # said again after a crash: nothing new
        pause(searcher, other, epoch=1, value=0.4)
        before = searcher.history

        reopened = self.open(tmp_path)
        assert reopened.history == before
        reopened.observe(paused.number, 2, 0.5)
        pause(reopened, paused, epoch=3, value=0.6)
        assert training_data_from(reopened.history).values[-1] == 0.6
        reopened.tell(ended(other.number, TrialState.STOPPED, {"accuracy": 0.4}))
        reopened.tell(ended(paused.number, values={"accuracy": 0.7}))

        assert list(reopened.ended()) == [0, 1, 2, 3, other.number, paused.number]
        assert training_data_from(reopened.history).values[-1] == 0.7
        assert not reopened.open_proposals()

    def test_a_paused_trial_that_lacks_an_objective_stays_pending(self, tmp_path: Path) -> None:
        plan = plan_of(self.sampler, objectives=(ACCURACY, SIZE))
        searcher = RecordedSearcher(plan, tmp_path / "record")
        searcher.ask()

        searcher.pause(replace(ended(0, TrialState.INTERRUPTED, {"accuracy": 0.5}), curve=((0, 0.5),)))

        assert [o.number for o in searcher.history.pending] == [0]

    def test_a_paused_trial_counts_with_its_objective_while_a_constraint_is_unknown(self, tmp_path: Path) -> None:
        plan = replace(plan_of(self.sampler), constraints=parse_constraints(["latency_ms <= 8"]))
        searcher = RecordedSearcher(plan, tmp_path / "record")
        for _ in range(12):  # beyond every sampler's opening
            proposal = searcher.ask()
            assert proposal is not None
            if proposal.number == 3:
                searcher.tell(ended(3, values={"accuracy": 0.6, "latency_ms": 9.5}))
            else:
                pause(searcher, proposal, epoch=0, value=0.1 * (proposal.number % 5))
        before = searcher.history

        history = RecordedSearcher(plan, tmp_path / "record").history

        assert history == before
        assert not history.pending
        assert [o.violations for o in history.finished if o.number in {2, 3}] == [(None,), (1.5,)]
        assert not training_data_from(history).feasible[3]
        assert training_data_from(history).feasible[4]
