"""The paths of a study directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.skill.model import ConfigFormat
from automl.storage.paths import StudyPaths, find_studies, make_folder


def test_attempts_have_directories_of_their_own_and_one_result(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path)

    assert paths.attempt(7).root == tmp_path / "trials" / "0007"
    assert paths.attempt(7, 2).root == tmp_path / "trials" / "0007.2"
    assert paths.result_file(7).parent == paths.attempt(7).root


def test_the_attempts_of_a_trial_are_those_with_a_directory(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path)
    for number, attempt in ((7, 2), (7, 1), (70, 1), (9, 3), (9, 10)):
        paths.attempt(number, attempt).root.mkdir(parents=True)
    paths.attempt(9, 8).root.mkdir()

    assert paths.attempts(7) == [paths.attempt(7), paths.attempt(7, 2)]
    assert paths.attempts(8) == []
    assert paths.attempts(9) == [paths.attempt(9, attempt) for attempt in (3, 8, 10)]


def test_the_products_of_an_action_are_without_spec_log_and_status(tmp_path: Path) -> None:
    action = StudyPaths(tmp_path).action("evaluate-1")
    product = action.root / "depth" / "0001.png"
    own = (action.spec_file(ConfigFormat.YAML), action.log_file, action.status_file, action.result_file)
    for file in (*own, action.inherited_spec, product):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    assert action.log_file.name == "evaluate.log"
    assert list(action.products()) == [product]


def test_studies_are_the_folders_with_a_plan(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        StudyPaths(tmp_path / name).plan_file.touch()
    (tmp_path / "data").mkdir()

    assert find_studies(tmp_path) == [StudyPaths(tmp_path / "a"), StudyPaths(tmp_path / "b")]
    assert find_studies(tmp_path / "none") == []


def test_a_path_outside_the_study_stays_absolute(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)

    assert study.relative(tmp_path / "trials/0000") == "trials/0000"
    assert study.relative(Path("/elsewhere/x")) == "/elsewhere/x"


def test_a_study_that_was_moved_is_not_made_again(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "study")
    paths.root.mkdir()
    make_folder(paths.attempt(7).root / "deep", below=paths.root)
    paths.root.rename(tmp_path / "moved")

    with pytest.raises(FileNotFoundError):
        make_folder(paths.attempt(7).root, below=paths.root)

    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
    assert (tmp_path / "moved/trials/0007/deep").is_dir()
