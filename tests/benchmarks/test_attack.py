"""Attacks on finished studies: damaged files, missing storage, links; the short form of `make attack`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.orchestration.attack import KINDS, attack
from benchmarks.orchestration.damage import attack_all, make_study

if TYPE_CHECKING:
    from pathlib import Path


MOST_CASES, LIMIT_S = 5, 2.0


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("damage"))


@pytest.mark.parametrize("cases", [15, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_random_damages_are_refused_by_name_or_harmless(study: Path, cases: int) -> None:
    rows = attack_all(study, cases, seed=cases)

    assert [row for row in rows if row[2] not in {"refused", "harmless"}] == []
    assert any(outcome == "refused" for _, _, outcome in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_attacks_are_survived(study: Path, kind: str) -> None:
    began_s, number = time.process_time(), 0
    while number < MOST_CASES and time.process_time() < began_s + LIMIT_S:
        assert attack(study, kind, number, seed=1) == ""
        number += 1
