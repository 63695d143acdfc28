"""Mutated packages never crash the line: a few seconds here, ten minutes in the slow run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.automl.skill.fuzz_packages import fuzz

if TYPE_CHECKING:
    from pathlib import Path


def test_two_seconds_of_mutated_packages_end_only_in_configuration_errors(tmp_path: Path) -> None:
    assert fuzz(2.0, first_seed=0, folder=tmp_path) > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_minutes_of_mutated_packages_end_only_in_configuration_errors(tmp_path: Path) -> None:
    assert fuzz(600.0, first_seed=1_000_000, folder=tmp_path) > 0
