"""Importances name what mattered, and are silent when they cannot."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.report.importance import importances
from automl.report.study_facts import read_facts
from automl.study.trial import TrialResult, TrialState
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path


def trial(number: int, generator: random.Random) -> TrialResult:
    size = generator.randint(8, 64)
    return TrialResult(
        number=number,
        state=TrialState.COMPLETED,
        assignment={"train.optim.lr": generator.random(), "model.sizes[1]": size},
        directory=f"trials/{number:04d}",
        values={"val/d1": size / 64 + generator.gauss(0, 0.01)},
        best_epoch=0,
    )


def test_the_parameter_that_decides_has_the_largest_share(tmp_path: Path) -> None:
    generator = random.Random(1)  # noqa: S311 # a seeded study, no secret
    facts = read_facts(write_study(tmp_path / "demo", tuple(trial(n, generator) for n in range(20))).root)

    found = importances(facts)

    assert found.shares[0][0] == "model.sizes[1]"
    assert found.shares[0][1] > 0.8
    assert found.trials == 20
    assert found.fit is not None
    assert found.fit > 0.5


def test_few_trials_give_no_importances(tmp_path: Path) -> None:
    generator = random.Random(1)  # noqa: S311 # a seeded study, no secret
    facts = read_facts(write_study(tmp_path / "demo", tuple(trial(n, generator) for n in range(7))).root)

    assert importances(facts).shares == ()


def test_equal_values_give_no_importances(tmp_path: Path) -> None:
    generator = random.Random(1)  # noqa: S311 # a seeded study, no secret
    trials = tuple(replace(trial(n, generator), values={"val/d1": 0.5}) for n in range(9))

    assert importances(read_facts(write_study(tmp_path / "demo", trials).root)).shares == ()
