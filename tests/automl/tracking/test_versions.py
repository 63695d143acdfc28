"""What a study ran with is recorded, and what is not there is left out."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import subprocess
from typing import TYPE_CHECKING

from automl.skill.model import FileSlot, SkillAction, SlotKind
from automl.spec.model import Spec
from automl.tracking.data_fingerprint import fingerprint
from automl.tracking.versions import collect_data, collect_versions, git_revision
from tests.automl.tracking.synthetic import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from automl.skill.model import JsonValue


def test_python_and_the_packages_are_recorded(tmp_path: Path) -> None:
    versions = collect_versions(make_plan(tmp_path))

    assert versions["python"] == platform.python_version()
    assert {"ray", "optuna", "mlflow"} <= set(versions)
    assert "git.skill" not in versions


def test_a_changed_work_tree_is_marked(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("1", encoding="utf-8")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    clean = git_revision(tmp_path)

    (tmp_path / "file").write_text("2", encoding="utf-8")

    assert clean is not None
    assert len(clean) == 40
    assert git_revision(tmp_path) == f"{clean}-dirty"


def test_outside_of_a_work_tree_there_is_no_revision(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None
    assert git_revision(tmp_path / "nowhere") is None


def test_a_git_that_hangs_costs_the_revision_and_no_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 10)

    monkeypatch.setattr(subprocess, "run", hang)

    assert git_revision(tmp_path) is None


def test_the_data_of_the_training_have_a_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_text("a.png a.exr\n", encoding="utf-8")
    slots = tuple(FileSlot(key=key, kind=SlotKind.FILE) for key in ("data.train", "data.folder", "data.absent"))
    plan = make_plan(tmp_path)
    skill = dataclasses.replace(plan.skill, actions={"train": SkillAction(name="train", command="t", inputs=slots)})
    spec = Spec(values={"data": {"train": str(file), "folder": str(tmp_path)}})

    found = collect_data(dataclasses.replace(plan, skill=skill, spec=spec))

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found == {"data.train": f"sha256:{digest} {file}", "data.folder": fingerprint(tmp_path)}
    assert collect_data(plan) == {}


def test_every_source_counts_and_the_paths_of_a_skill_that_declares_none(tmp_path: Path) -> None:
    sources: JsonValue = [{"file": str(tmp_path / "a.txt")}, {"file": str(tmp_path / "b.txt")}]
    lists: JsonValue = {"sources": sources, "folders": ["/a", "/b"]}
    slots = (
        FileSlot(key="val.sources[0].file", kind=SlotKind.FILE),
        FileSlot(key="val.folders", kind=SlotKind.LIST),
        FileSlot(key="train.weights", kind=SlotKind.FILE),
    )
    plan = dataclasses.replace(make_plan(tmp_path), spec=Spec(values={"val": lists}))
    action = SkillAction(name="train", command="t {config_path}", inputs=slots)
    declared = dataclasses.replace(plan, skill=dataclasses.replace(plan.skill, actions={"train": action}))
    undeclared = dataclasses.replace(plan, spec=Spec(values={"val": str(tmp_path), "x": {"file": "/nowhere", "lr": 1}}))

    found = list(collect_data(declared))

    assert found == ["val.sources[0].file", "val.sources[1].file", "val.folders[0]", "val.folders[1]"]
    assert list(collect_data(undeclared)) == ["val"]
