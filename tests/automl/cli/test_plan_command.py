"""`automl plan` shows everything and runs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_review_names_everything_a_person_wants_to_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["plan", "toy/quick", "--results", str(tmp_path)])

    shown = capsys.readouterr().out
    assert status == 0
    for part in ("route", "objective", "sampler", "resources", "time", "first trials", "train.optim.lr", "fingerprint"):
        assert part in shown
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_document_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--json", "--policy", "off"])

    document = json.loads(capsys.readouterr().out)
    assert document["route"] == "train_once"
    assert document["first_trials"] == [{}]
