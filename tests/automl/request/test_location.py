"""Fresh study directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.request.location import chosen_study_directory, new_study_directory, next_study_directory

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plain_run_never_goes_into_an_earlier_study(tmp_path: Path) -> None:
    made = [new_study_directory(tmp_path / "results", "demo").name for _ in range(3)]

    assert made == ["demo", "demo-2", "demo-3"]


def test_the_announced_directory_is_the_one_that_is_made(tmp_path: Path) -> None:
    new_study_directory(tmp_path, "demo")

    assert next_study_directory(tmp_path, "demo") == new_study_directory(tmp_path, "demo")


def test_only_its_owner_may_look_into_a_study(tmp_path: Path) -> None:
    study = new_study_directory(tmp_path / "results", "demo")

    assert {folder.stat().st_mode & 0o077 for folder in (study, study.parent)} == {0}


def test_a_results_folder_that_is_made_for_a_chosen_directory_is_its_users_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)

    study = chosen_study_directory(tmp_path / "results" / "demo")

    assert [folder.stat().st_mode & 0o777 for folder in (study, study.parent, tmp_path)] == [0o700, 0o700, 0o750]


def test_a_results_folder_that_is_there_stays_as_its_owner_made_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)

    new_study_directory(tmp_path, "demo")

    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_a_results_folder_that_is_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.touch()

    with pytest.raises(ConfigurationError, match="--results"):
        new_study_directory(file, "demo")


def test_a_chosen_directory_may_hold_a_link_to_an_empty_folder_for_its_trials(tmp_path: Path) -> None:
    large, study = tmp_path / "large", tmp_path / "study"
    large.mkdir()
    study.mkdir()
    (study / "trials").symlink_to(large)

    assert chosen_study_directory(study) == study

    (large / "0000").mkdir()
    with pytest.raises(ConfigurationError, match="a folder that is not empty"):
        chosen_study_directory(study)
    (study / "trials").unlink()
    (study / "trials").symlink_to("absent")
    with pytest.raises(ConfigurationError, match="a folder that is not empty"):
        chosen_study_directory(study)
