"""Every assignment of every package satisfies everything, by a checker that shares no code with the space.

300 assignments for each package in the default run, chosen by hypothesis; 10,000 random ones in the slow run.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.resources import builtin_skills, packaged
from automl.skill.load import load_skill
from automl.space.build import SpaceRequest, build_space
from automl.spec.build import build_spec
from automl.spec.train_schema import read_train_schema
from tests.automl.skill.packages import BANK, EVERY_FEATURE
from tests.automl.space.independent_checker import complaints, raw_leaves

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.space.search_space import SearchSpace

PACKAGES = (
    EVERY_FEATURE,
    *(packaged("templates") / name for name in builtin_skills()),
    *(info.parents[1] for info in BANK if (info.parents[1] / "schemas/train.schema.json").exists()),
)
POSITIONS = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))


@dataclass(frozen=True)
class Case:
    """One package, ready to be sampled."""

    space: SearchSpace
    leaves: Mapping[str, dict[str, Any]]
    spec: Mapping[str, Any]


@functools.cache
def case_of(folder: Path, search: tuple[str, ...]) -> Case:
    skill = load_skill(folder)
    schema = read_train_schema(skill.schemas["train"])
    spec = build_spec(skill, "train", schema=schema)
    space = build_space(skill, schema, spec, SpaceRequest(search=search))
    return Case(space=space, leaves=raw_leaves(skill.schemas["train"]), spec=spec.values)


def check_positions(case: Case, positions: Mapping[str, float]) -> None:
    assignment = case.space.from_unit(positions)

    assert complaints(case.leaves, case.spec, assignment) == []
    assert case.space.violations(assignment) == ()
    again = case.space.from_unit(case.space.to_unit(assignment))
    assert again.keys() == assignment.keys()
    assert case.space.repair(assignment) == assignment


@pytest.mark.parametrize("search", [(), ("all",)], ids=["default", "all"])
@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_300_assignments_of_every_package_satisfy_everything(
    folder: Path, search: tuple[str, ...], data: st.DataObject
) -> None:
    case = case_of(folder, search)
    check_positions(case, {path: data.draw(POSITIONS) for path in case.space.paths})


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_10000_assignments_of_every_package_satisfy_everything(folder: Path) -> None:
    case = case_of(folder, ())
    generator = random.Random(0)  # noqa: S311 # a seed, not a secret

    for _ in range(10_000):
        positions = {path: generator.choice([0.0, 1.0, *[generator.random()] * 6]) for path in case.space.paths}
        check_positions(case, positions)


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_trial_0_is_the_specs_own_values(folder: Path) -> None:
    case = case_of(folder, ())

    default = case.space.default_assignment()

    assert default.keys() <= set(case.space.paths)
    for path, value in default.items():
        assert value == case.space[path].default
