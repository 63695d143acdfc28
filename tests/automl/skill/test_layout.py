"""Where the files of a skill are found, and where they are not looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.skill.layout import find_files, is_skill
from tests.automl.skill.packages import write_skill

if TYPE_CHECKING:
    from pathlib import Path


def test_the_public_layout_is_recognised(tmp_path: Path) -> None:
    write_skill(tmp_path / "skill", schema={}, template={"a": 1})

    files = find_files(tmp_path / "skill")

    assert files.info.name == "skill_info.yaml"
    assert files.template("train", None) == files.root / "references/spec_template_train.yaml"
    assert files.schema("train") == files.root / "schemas/train.schema.json"
    assert is_skill(tmp_path / "skill")


def test_the_layout_of_built_in_skills_keeps_schemas_two_folders_up(tmp_path: Path) -> None:
    (tmp_path / "templates/mine").mkdir(parents=True)
    (tmp_path / "schemas/mine").mkdir(parents=True)
    (tmp_path / "templates/mine/skill_info.yaml").write_text("a: 1", encoding="utf-8")
    (tmp_path / "templates/mine/spec_template_train.yaml").write_text("a: 1", encoding="utf-8")
    (tmp_path / "schemas/mine/train.schema.json").write_text("{}", encoding="utf-8")

    files = find_files(tmp_path / "templates/mine")

    assert files.template("train", None) is not None
    assert files.schema("train") == (tmp_path / "schemas/mine/train.schema.json").resolve()


def test_the_description_itself_stands_for_its_skill(tmp_path: Path) -> None:
    write_skill(tmp_path / "skill")

    assert find_files(tmp_path / "skill/references/skill_info.yaml").root == (tmp_path / "skill").resolve()


@pytest.mark.parametrize("declared", ["references/other.yaml", "../references/other.yaml", "other.yaml"])
def test_a_declared_template_is_relative_to_the_skill_or_to_its_description(tmp_path: Path, declared: str) -> None:
    write_skill(tmp_path / "skill")
    (tmp_path / "skill/references/other.yaml").write_text("a: 1", encoding="utf-8")

    assert find_files(tmp_path / "skill").template("train", declared) is not None


def test_nothing_outside_the_skill_is_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("a: 1", encoding="utf-8")
    skill = write_skill(tmp_path / "skill")
    (skill / "references/spec_template_train.yaml").symlink_to(secret)
    (skill / "schemas").mkdir()
    (skill / "schemas/train.schema.json").symlink_to(secret)

    files = find_files(skill)

    assert files.template("train", "../../secret.yaml") is None
    assert files.template("train", str(secret)) is None
    assert files.template("train", None) is None
    assert files.schema("train") is None


@pytest.mark.parametrize("linked", ["schemas", "schemas/train.schema.json", "references", "../../schemas/skill"])
def test_no_link_to_a_folder_outside_is_followed(tmp_path: Path, linked: str) -> None:
    skill = write_skill(tmp_path / "templates/skill", schema={}, template={"a": 1})
    if linked.startswith(".."):  # the layout of built-in skills
        (skill / "references").rename(skill / "moved")
        (skill / "skill_info.yaml").write_text("a: 1", encoding="utf-8")
        (skill / "schemas").rename(tmp_path / "elsewhere")
        (tmp_path / "schemas").mkdir()
    else:
        (skill / linked).rename(tmp_path / "elsewhere")
    (skill / linked).symlink_to(tmp_path / "elsewhere")

    if linked == "references":
        with pytest.raises(ConfigurationError):
            find_files(skill)
    else:
        assert find_files(skill).schema("train") is None


def test_an_action_name_cannot_lead_out_of_the_schemas(tmp_path: Path) -> None:
    (tmp_path / "evil.schema.json").write_text("{}", encoding="utf-8")
    skill = write_skill(tmp_path / "skill", schema={})

    assert find_files(skill).schema("../../evil") is None


@pytest.mark.parametrize("name", ["nothing", "empty", "loop", "nul\0"])
def test_a_folder_that_is_no_skill_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    with pytest.raises(ConfigurationError, match=r"skill_info\.yaml"):
        find_files(tmp_path / name)
