"""A study with replicates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from automl.study.model import Budget
from automl.study.trial import TrialState
from automl.trial.stop_request import read_stop_request
from tests.automl.executor.loop_study import Study
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.trial.task import TrialTask


def replicating(root: Path, *, trials: int = 3, replicates: int = 2, race: bool = False, **budget: float) -> Study:
    plan = toy_plan(root / "skill", trials=trials)
    plan = replace(plan, race=race, replicates=replicates, seed_key="quality", budget=Budget(trials=trials, **budget))  # type: ignore[arg-type] # limits of a budget
    return Study(root, plan)


def play(study: Study, values: list[float]) -> list[TrialTask]:
    """Run trials one after the other, each with the next value, until the study is over."""
    tasks = []
    for value in values:
        task = study.next()
        study.end(task, values={"val/d1": value}, replicate_of=task.proposal.replicate_of, seed=task.proposal.seed)
        tasks.append(task)
    assert study.loop.is_over
    return tasks


def test_the_best_trials_are_run_again_with_other_seeds_and_the_best_mean_wins(tmp_path: Path) -> None:
    study = replicating(tmp_path)

    tasks = play(study, [0.5, 0.9, 0.8, 0.4, 0.7, 0.6, 0.7])

    assert [(t.proposal.replicate_of, t.proposal.seed) for t in tasks[3:]] == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert [t.command.spec["quality"] for t in tasks[3:]] == [1, 1, 2, 2]
    assert tasks[3].proposal.assignment == tasks[1].proposal.assignment
    result = study.loop.close()
    assert result.best is not None
    assert result.best.number == 2
    assert [(r.trial.number, round(r.mean, 6), round(r.gap, 6)) for r in result.replicated] == [
        (2, 0.7, 0.1),
        (1, 0.5, 0.4),
    ]


def test_replicates_start_when_the_last_trial_of_the_search_has_ended_and_none_is_stopped(tmp_path: Path) -> None:
    study = replicating(tmp_path, trials=2, replicates=1)
    first, second = study.next(), study.next()
    study.end(first)
    assert study.loop.next_task() is None
    assert not study.loop.is_over

    study.end(second)
    again, third = study.next(), study.next()
    study.rule.threshold = 9.0
    study.report(again, 2, 0.1)

    assert study.loop.next_task() is None
    assert (again.proposal.replicate_of, third.proposal.replicate_of) == (0, 0)
    assert read_stop_request(again.directory) is None
    assert study.searcher.observed == [(2, 2, 0.1)]


def test_replicates_follow_a_search_that_reached_its_target_but_not_one_without_time(tmp_path: Path) -> None:
    reached = replicating(tmp_path / "a", replicates=1, target=0.6)
    first = reached.next()
    reached.report(first, 0, 0.7)
    reached.end(first, TrialState.STOPPED, values={"val/d1": 0.7})
    assert reached.next().proposal.replicate_of == 0

    late = replicating(tmp_path / "b", replicates=1, time_s=1e-9)
    first = late.next()
    late.loop.check_budget()
    late.end(first)
    assert late.loop.next_task() is None
    assert late.loop.is_over


def test_in_a_race_the_better_two_of_three_get_a_second_seed_and_the_winner_says_what_it_reached(
    tmp_path: Path,
) -> None:
    study = replicating(tmp_path, replicates=3, race=True)

    tasks = play(study, [0.5, 0.9, 0.8, 0.55, 0.6, 0.5, 0.4, 0.7])

    assert [(t.proposal.replicate_of, t.proposal.seed) for t in tasks[3:]] == [(1, 1), (2, 1), (0, 1), (2, 2), (1, 2)]
    result = study.loop.close()
    best = next(r for r in result.replicated if r.trial is result.best)
    assert (best.trial.number, best.values, round(best.mean, 6)) == (1, (0.55, 0.7), 0.625)


def test_a_resumed_race_goes_on_with_its_round(tmp_path: Path) -> None:
    study = replicating(tmp_path, replicates=3, race=True)
    for value, of in ((0.5, None), (0.9, None), (0.8, None), (0.55, 1), (0.6, 2)):
        task = study.next()
        study.end(task, values={"val/d1": value}, replicate_of=of, seed=task.proposal.seed)

    resumed = replicating(tmp_path, replicates=3, race=True)
    task = resumed.next()

    assert (task.number, task.proposal.replicate_of, task.proposal.seed) == (5, 0, 1)
    assert resumed.loop.next_task() is None
    resumed.end(task, values={"val/d1": 0.5}, replicate_of=0, seed=1)
    assert resumed.next().proposal.replicate_of == 2


def test_a_resumed_study_runs_the_replicates_that_are_missing(tmp_path: Path) -> None:
    study = replicating(tmp_path, trials=1, replicates=1)
    study.end(study.next())
    task = study.next()
    study.end(task, replicate_of=task.proposal.replicate_of, seed=task.proposal.seed)

    resumed = replicating(tmp_path, trials=1, replicates=1)
    again = resumed.next()

    assert (again.number, again.proposal.replicate_of, again.proposal.seed) == (2, 0, 2)
