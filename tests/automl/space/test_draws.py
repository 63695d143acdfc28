"""Draws of every package: valid, none gathering at an edge, nothing of the evaluation, nothing that is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.resources import builtin_skills, packaged
from benchmarks.search_space.draws import complaints, read_case
from tests.automl.skill.packages import BANK, EVERY_FEATURE
from tests.automl.space.invented import PACKAGES, Invented
from tests.automl.space.test_build import reasons, space_of

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = (
    EVERY_FEATURE,
    *(packaged("templates") / name for name in builtin_skills()),
    *(info.parents[1] for info in BANK if (info.parents[1] / "schemas/train.schema.json").exists()),
)


@pytest.mark.parametrize("search", ["default", "all", "recommended"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_nothing_is_wrong_with_the_draws_of_a_package(folder: Path, search: str) -> None:
    assert complaints(read_case(folder, (search,)), draws=500) == []


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_nothing_is_wrong_with_the_draws_of_an_invented_package(package: Invented, tmp_path: Path) -> None:
    assert complaints(read_case(package.write(tmp_path))) == []


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_an_expert_would_sign_the_space_of_an_invented_package(package: Invented, tmp_path: Path) -> None:
    space = space_of(package.write(tmp_path))

    for path, wanted in package.searched.items():
        parameter = space[path]
        if wanted is not None:
            scale = "log" if parameter.log else "log of 1 - x" if parameter.log_to_one else "linear"
            found = (*parameter.bounds, scale)
            assert found[:2] == pytest.approx(wanted[:2], abs=0.01 if wanted[0] == 0 else None), path
            assert scale == wanted[2], path
    for path, why in package.left_out.items():
        assert why in reasons(space).get(path, "searched"), path
