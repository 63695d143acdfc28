"""Inputs that are missing, before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.skill.load import load_skill
from automl.spec.build import build_spec
from automl.spec.inputs import missing_inputs, pending_downloads
from tests.automl.skill.packages import EVERY_FEATURE, write_skill

if TYPE_CHECKING:
    from pathlib import Path

    from automl.errors import Problem


def problems(
    folder: Path, value: object, *, kind: str = "file", optional: bool = False, user: bool = False
) -> tuple[Problem, ...]:
    command = "thing train -e {config_path}"
    inputs = {"dataset.file": {"type": kind, "optional": optional}}
    info = {"actions": {"train": {"command": command, "inputs": inputs}}}
    skill = load_skill(write_skill(folder, info=info, template={"dataset": {"file": "" if user else value}}))
    spec = build_spec(skill, "train", overrides={"dataset.file": value} if user else {})  # type: ignore[dict-item] # JSON
    return missing_inputs(skill, "train", spec)


@pytest.mark.parametrize("value", ["", None, "???", [], [""]])
def test_an_empty_required_input_is_a_problem(tmp_path: Path, value: object) -> None:
    found = problems(tmp_path, value)

    assert [problem.where for problem in found] == ["dataset.file"]
    assert "--data" in found[0].fix


def test_an_input_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert "/no/such/file" in problems(tmp_path, "/no/such/file")[0].found


def test_a_folder_stands_for_a_file_because_public_skills_say_so(tmp_path: Path) -> None:
    assert not problems(tmp_path, str(tmp_path))


def test_every_missing_element_of_a_list_is_named(tmp_path: Path) -> None:
    assert len(problems(tmp_path, [str(tmp_path), "/no/a", "/no/b"], kind="list")) == 2


def test_a_pattern_has_to_fit_something(tmp_path: Path) -> None:
    assert problems(tmp_path, str(tmp_path / "*.tar"), kind="local_glob")
    assert not problems(tmp_path, str(tmp_path / "*"), kind="local_glob")


@pytest.mark.parametrize("value", ["https://example.org/x", "hf_model://nvidia/x", "${results_dir}/x"])
def test_what_the_trainer_resolves_is_not_looked_for(tmp_path: Path, value: str) -> None:
    assert not problems(tmp_path, value)


def test_an_optional_input_matters_only_if_the_user_set_it(tmp_path: Path) -> None:
    assert not problems(tmp_path / "a", "", optional=True)
    assert not problems(tmp_path / "b", "/container/path", optional=True)
    assert problems(tmp_path / "c", "/my/typo", optional=True, user=True)


def test_a_download_that_is_not_there_is_named_with_its_address() -> None:
    skill = load_skill(EVERY_FEATURE)

    found = pending_downloads(skill, "train", build_spec(skill, "train"))

    assert "https://example.org/weights.pth" in found[0].fix


def test_a_download_that_the_user_replaced_is_not_asked_for() -> None:
    skill = load_skill(EVERY_FEATURE)

    assert not pending_downloads(skill, "train", build_spec(skill, "train", overrides={"model.download": "/my.pth"}))
