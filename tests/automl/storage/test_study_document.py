"""The JSON form of a study comes from its directory alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.study_document import study_document
from tests.automl.cli.study_folder import TRIALS, write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_a_study_without_a_usable_trial_has_no_best(tmp_path: Path) -> None:
    root = write_study(tmp_path / "example", (TRIALS[1], TRIALS[3]))

    document = study_document(root)

    assert document["best"] is None
    assert [trial["state"] for trial in document["trials"]] == ["DIVERGED", "FAILED"]


def test_trials_name_their_devices_where_they_had_any(tmp_path: Path) -> None:
    root = write_study(tmp_path / "example", (TRIALS[0], replace(TRIALS[1], gpus=("2", "3"))))

    trials = study_document(root)["trials"]

    assert [trial.get("gpus") for trial in trials] == [None, ["2", "3"]]


def test_a_plan_that_is_not_json_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{half", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"plan\.json"):
        study_document(tmp_path)


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"name": "other", "skill": "not ours"}'])
def test_a_plan_of_another_program_is_no_study(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"a plan\.json that automl has not written"):
        study_document(tmp_path)


@pytest.mark.parametrize("text", ["[1]", '{"baseline": 3}', "{"])
@pytest.mark.parametrize("name", ["evaluations.json", "record.json"])
def test_a_torn_document_is_not_an_empty_one(tmp_path: Path, text: str, name: str) -> None:
    root = write_study(tmp_path / "example", TRIALS)
    (root / name).write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=name):
        study_document(root)
