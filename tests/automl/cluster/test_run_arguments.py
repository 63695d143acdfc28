"""The words of a run, repeated elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.cluster.run_arguments import run_arguments

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_paths_become_absolute_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").touch()
    (tmp_path / "my_skill").mkdir()

    words = run_arguments(
        "study.yaml", {"--skill": "my_skill", "--data": ("train=a b.txt",), "--spec": "s.yaml", "--metric": "val/d1"}
    )

    assert words == (
        *(f"{tmp_path}/study.yaml", "--skill", f"{tmp_path}/my_skill"),
        *("--data", f"train={tmp_path}/a b.txt", "--spec", f"{tmp_path}/s.yaml", "--metric", "val/d1"),
    )
    assert run_arguments("toy/quick", {"--skill": "depth_net_mono"}) == ("toy/quick", "--skill", "depth_net_mono")


def test_what_was_not_said_is_not_repeated() -> None:
    given = {"--trials": None, "--no-warm-start": False, "--search": (), "--json": True, "--target": 0.5}

    assert run_arguments(None, given, replaced={"--json": None}) == ("--target", "0.5")


def test_the_job_sets_options_of_its_own() -> None:
    assert run_arguments(None, {"--jobs": None, "--time": 7200.0}, replaced={"--jobs": "8"}) == (
        *("--jobs", "8", "--time", "7200"),
    )
