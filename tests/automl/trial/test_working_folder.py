"""The folder that a program of the user's own runs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.skill.program import Program
from automl.trial.working_folder import make_working_folder, shown_folder


def test_a_trial_sees_what_is_in_the_users_folder_and_keeps_what_it_writes(tmp_path: Path) -> None:
    user, study = tmp_path / "user", tmp_path / "user/results/study"
    for folder in ("data", "ckpt", "outputs", ".git", "results/study/trials/0000"):
        (user / folder).mkdir(parents=True)
    (user / "train.py").write_text("", encoding="utf-8")
    (user / "data/points.csv").write_text("1", encoding="utf-8")
    shown = shown_folder(Program(command="python train.py", folder=user, outputs=("ckpt",)))
    work = study / "trials/0000/work"

    assert shown is not None
    make_working_folder(shown, work, study)
    make_working_folder(shown, work, study)
    (work / "ckpt").mkdir()

    assert sorted(path.name for path in work.iterdir()) == ["ckpt", "data", "train.py"]
    assert (work / "data/points.csv").read_text(encoding="utf-8") == "1"
    assert not list((user / "ckpt").iterdir())
    assert Path(work / "train.py").resolve() == user / "train.py"


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "user/train.py").touch()
    (tmp_path / "work").symlink_to(tmp_path / "elsewhere")
    shown = shown_folder(Program(command="python train.py", folder=tmp_path / "user", outputs=()))

    assert shown is not None
    with pytest.raises(FileExistsError, match="the working folder of the trial is a link"):
        make_working_folder(shown, tmp_path / "work", tmp_path / "study")

    assert not list((tmp_path / "elsewhere").iterdir())
