"""Inputs that are missing, before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.skill.load import load_skill
from automl.spec.build import build_spec
from automl.spec.inputs import missing_inputs, pending_downloads
from tests.automl.skill.packages import write_skill

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
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "[1].tar").touch()
    for name in ("*/b/*.tar", "**/*.tar", "a/b/[1].tar", "a"):
        assert not problems(tmp_path, str(tmp_path / name), kind="local_glob"), name
    assert problems(tmp_path, str(tmp_path / "*/c/*.tar"), kind="local_glob")


@pytest.mark.parametrize("value", ["https://example.org/x", "hf_model://nvidia/x", "${results_dir}/x"])
def test_what_the_trainer_resolves_is_not_looked_for(tmp_path: Path, value: str) -> None:
    assert not problems(tmp_path, value)


def test_an_optional_input_matters_only_if_the_user_set_it(tmp_path: Path) -> None:
    assert not problems(tmp_path / "a", "", optional=True)
    assert not problems(tmp_path / "b", "/container/path", optional=True)
    assert problems(tmp_path / "c", "/my/typo", optional=True, user=True)


def downloads(folder: Path, **spec: str) -> tuple[Problem, ...]:
    """Return what is missing of a skill that wants weights at ``folder/weights.pth``."""
    rule = {"link": "https://example.org/weights.pth", "destination_path": str(folder / "weights.pth")}
    template = {"model": {"weights": spec.pop("template", "")}}
    root = write_skill(folder / "skill", info={"spec_params": {"train": {"model.weights": rule}}}, template=template)
    skill = load_skill(root)
    return pending_downloads(skill, "train", build_spec(skill, "train", overrides=spec))


def test_a_download_that_is_not_there_is_named_with_its_address_and_place(tmp_path: Path) -> None:
    (found,) = downloads(tmp_path)

    assert found.where == "model.weights"
    assert found.found == f"no file at {tmp_path}/weights.pth, training starts without it"
    assert found.fix.startswith(f"download https://example.org/weights.pth to {tmp_path}/weights.pth")


def test_a_file_of_the_template_that_is_not_there_does_not_replace_a_download(tmp_path: Path) -> None:
    (found,) = downloads(tmp_path, template="/container/path.pth")

    assert found.found == f"no file at {tmp_path}/weights.pth, nor at /container/path.pth"


def test_a_download_that_is_there_or_replaced_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "own.pth").touch()
    assert not downloads(tmp_path, template=str(tmp_path / "own.pth"))
    assert not downloads(tmp_path, template="hub://weights")
    assert not downloads(tmp_path, **{"model.weights": "/of/the/user.pth"})
    assert downloads(tmp_path)

    (tmp_path / "weights.pth").touch()

    assert not downloads(tmp_path)
