from __future__ import annotations

from dataclasses import replace

from automl.study.objectives import parse_constraints
from automl.study.result import Incumbent, StudyResult
from automl.study.trial import TrialResult, TrialState
from tests.automl.study.examples import OBJECTIVE


def ended(number: int, value: float, **values: float) -> TrialResult:
    measured = {"val/d1": value, **values}
    return TrialResult(number=number, state=TrialState.COMPLETED, assignment={}, directory="", values=measured)


def test_only_a_better_value_leads_and_earlier_runs_count() -> None:
    incumbent = Incumbent(StudyResult(objective=OBJECTIVE, trials=(ended(0, 0.5), ended(1, 0.7))))

    found = [incumbent.learn(ended(number, value)) for number, value in enumerate((0.6, 0.7, 0.8), start=2)]

    assert found == [None, None, 0.8]
    assert incumbent.value == 0.8


def test_replicates_failures_and_who_misses_a_constraint_do_not_lead() -> None:
    incumbent = Incumbent(
        StudyResult(objective=OBJECTIVE, trials=(), constraints=parse_constraints(["memory_gib <= 40"]))
    )
    too_large = ended(0, 0.9, memory_gib=50.0)
    replicate = replace(ended(1, 0.9, memory_gib=1.0), replicate_of=0, seed=3)
    failed = replace(ended(2, 0.9, memory_gib=1.0), state=TrialState.FAILED)

    assert [incumbent.learn(result) for result in (too_large, replicate, failed)] == [None] * 3
