"""The data of a study: prepared when missing, counted, and missed clearly."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.preflight.data import (
    describe_data,
    pending_folder,
    prepare_data,
    with_prepared_paths,
)
from automl.request.study_request import Prepare, StudyRequest

if TYPE_CHECKING:
    from pathlib import Path

MAKE_FOLDER = (sys.executable, "-c", "import pathlib, sys; pathlib.Path(sys.argv[1]).mkdir()", "{prepared}")
REQUEST = StudyRequest(skill="toy", name="example").with_settings(
    data={"train": "{prepared}/train.txt"}, prepare=Prepare(command=MAKE_FOLDER, directory="set_one")
)


def test_missing_data_are_made_once(tmp_path: Path) -> None:
    prepare_data(REQUEST, tmp_path)
    made = tmp_path / "data" / "set_one"
    assert made.is_dir()
    (made / "kept").touch()

    prepare_data(REQUEST, tmp_path)

    assert (made / "kept").exists()


def test_a_results_folder_that_is_made_for_the_data_is_its_users_alone(tmp_path: Path) -> None:
    results = tmp_path / "results"

    prepare_data(REQUEST, results)

    assert [folder.stat().st_mode & 0o777 for folder in (results, results / "data")] == [0o700, 0o700]


def test_paths_point_into_the_prepared_folder(tmp_path: Path) -> None:
    request = with_prepared_paths(REQUEST, tmp_path)

    assert request.data["train"] == str(tmp_path / "data" / "set_one" / "train.txt")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "status 3"),
        ((sys.executable, "-c", "pass"), "is not there"),
        (("no-such-program-here",), "not installed"),
    ],
)
def test_data_that_cannot_be_made_are_a_launch_error(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    request = REQUEST.with_settings(prepare=Prepare(command=command, directory="x"))

    with pytest.raises(LaunchError, match=said):
        prepare_data(request, tmp_path)


def test_the_review_says_that_data_will_be_made(tmp_path: Path) -> None:
    (row,) = describe_data(REQUEST, tmp_path)

    assert (row["split"], row["samples"]) == ("train", "made before the first trial")


def test_data_of_the_users_own_in_place_of_the_prepared_ones_leave_nothing_to_make(tmp_path: Path) -> None:
    own = REQUEST.with_settings(data={"train": str(tmp_path / "train.txt")})

    assert pending_folder(own, tmp_path) is None
    assert pending_folder(REQUEST, tmp_path) == pending_folder(with_prepared_paths(REQUEST, tmp_path), tmp_path)
    assert pending_folder(REQUEST, tmp_path) is not None
