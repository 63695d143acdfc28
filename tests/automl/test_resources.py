"""Packaged files: what is found, and what is never returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl import resources

if TYPE_CHECKING:
    from pathlib import Path


def test_a_checkout_has_schemas_and_templates() -> None:
    assert resources.packaged("schemas").is_dir()
    assert resources.packaged("templates").is_dir()


def test_an_installed_wheel_is_found_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "automl/packaged/templates/mine").mkdir(parents=True)
    (tmp_path / "automl/packaged/templates/mine/skill_info.yaml").write_text("a: 1", encoding="utf-8")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "automl")

    assert resources.packaged("templates") == tmp_path / "automl/packaged/templates"
    assert resources.builtin_skills() == ("mine",)


def test_an_incomplete_installation_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "automl")

    with pytest.raises(FileNotFoundError, match="packaged"):
        resources.packaged("schemas")


def test_a_built_in_skill_is_found_by_its_name_only() -> None:
    assert resources.builtin_skill("toy") is not None
    for name in ("", "..", "toy/..", "../templates/toy", "/toy", "no_such_skill"):
        assert resources.builtin_skill(name) is None


def test_studies_are_named_by_their_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies/thing").mkdir(parents=True)
    (tmp_path / "studies/thing/demo.yaml").write_text("a: 1", encoding="utf-8")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "automl")

    assert resources.builtin_studies() == {"thing/demo": tmp_path / "studies/thing/demo.yaml"}
