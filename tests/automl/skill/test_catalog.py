"""The list of a whole bank."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.config_files import MAX_BYTES
from automl.errors import ConfigurationError
from automl.skill.catalog import SkillStatus, list_skills
from automl.skill.load import load_skill
from tests.automl import hostile_texts
from tests.automl.skill.packages import BAD, BANK, SKILLS, needs_bank, write_skill

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_skill_below_a_folder_is_listed_with_its_status_and_reason() -> None:
    entries = {entry.path.name: entry for entry in list_skills(SKILLS)}

    assert entries["every_feature"].status is SkillStatus.RUNNABLE
    assert entries["schema_missing"].status is SkillStatus.BLOCKED
    assert entries["schema_missing"].reason == "no train schema"
    assert entries["template_missing"].reason == "no train template"
    assert "unreadable train schema" in entries["schema_not_json"].reason
    assert "unreadable train schema" in entries["schema_is_a_list"].reason
    assert entries["not_yaml"].status is SkillStatus.UNREADABLE
    assert "and 6 more" in entries["many_problems"].reason
    assert "no_info" not in entries


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (os.mkfifo, "a named pipe"),
        (Path.mkdir, "a folder"),
        (lambda file: file.symlink_to("/dev/null"), "a link to /dev/null, outside the skill"),
        (lambda file: file.symlink_to("absent"), "absent, which is not there"),
    ],
)
def test_a_skill_whose_description_is_no_file_is_listed_with_what_is_there(
    tmp_path: Path, place: Callable[[Path], object], found: str
) -> None:
    (tmp_path / "demo").mkdir()
    place(tmp_path / "demo/skill_info.yaml")

    (entry,) = list_skills(tmp_path)

    assert (entry.name, entry.status) == ("demo", SkillStatus.UNREADABLE)
    assert found in entry.reason


def test_a_schema_folder_that_is_a_link_out_and_an_architecture_that_is_a_pipe_are_named(tmp_path: Path) -> None:
    folder = write_skill(tmp_path / "demo")
    (folder / "schemas").symlink_to("/")
    os.mkfifo(folder / "references/automl.yaml")

    (entry,) = list_skills(tmp_path)

    assert entry.reason == "no train schema and no train template (schemas is a link to /, outside the skill)"
    assert [warning.found for warning in load_skill(folder).warnings] == ["a named pipe"]


def test_one_skill_is_a_bank_of_one() -> None:
    assert [entry.path for entry in list_skills(BAD / "schema_missing")] == [BAD / "schema_missing"]


def test_a_folder_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        list_skills("no/such/folder")


@needs_bank
def test_the_bank_has_runnable_skills_and_one_disabled() -> None:
    root = Path(BANK[0]).parents[2]

    by_status = {entry.path.name: entry.status for entry in list_skills(root)}

    assert by_status["tao-train-codetr"] is SkillStatus.DISABLED
    assert sum(status is SkillStatus.RUNNABLE for status in by_status.values()) == len(by_status) - 1


def test_hidden_linked_and_deep_folders_are_not_searched(tmp_path: Path) -> None:
    write_skill(tmp_path / "shown" / "skill")
    write_skill(tmp_path / ".hidden" / "skill")
    write_skill(tmp_path / "a/b/c/d/e/f/g/skill")
    (tmp_path / "link").symlink_to(tmp_path / "shown")

    assert [entry.path.name for entry in list_skills(tmp_path)] == ["skill"]


def test_a_skill_that_cannot_train_is_blocked(tmp_path: Path) -> None:
    write_skill(tmp_path / "skill", info={"actions": {"evaluate": {"command": "evaluate {config_path}"}}})

    assert list_skills(tmp_path)[0].reason == "no train action"


def test_packages_made_to_be_expensive_do_not_delay_the_list(tmp_path: Path) -> None:
    for index, text in enumerate((hostile_texts.YAML["a flat list"], hostile_texts.YAML["base 60"])):
        skill = write_skill(tmp_path / f"bad{index}", schema={})
        (skill / "references/skill_info.yaml").write_text(text(MAX_BYTES), encoding="utf-8")
        (skill / "references/spec_template_train.yaml").touch()
    huge = write_skill(tmp_path / "huge", schema={}, template={})
    with (huge / "references/spec_template_train.yaml").open("wb") as stream:
        stream.truncate(1 << 40)
    write_skill(tmp_path / "good", schema={}, template={})
    began_s = time.process_time()

    entries = {entry.path.name: entry.status for entry in list_skills(tmp_path)}

    assert time.process_time() - began_s < 10.0
    assert entries["good"] is SkillStatus.RUNNABLE
    assert entries["bad0"] is entries["bad1"] is SkillStatus.UNREADABLE
