"""`automl run`: what is asked before anything is spent. Whole runs are in tests/acceptance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from automl.cli.app import run_command_line
from automl.cli.request_commands import confirm_long_run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_request_that_may_be_against_a_search_stops_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "toy/quick", "--yes", "--results", str(tmp_path), "--request"]

    assert run_command_line([*arguments, "I'd rather not tune, 10 iterations"]) == 2
    shown = capsys.readouterr().err
    assert "--policy on" in shown
    assert "--policy off" in shown
    assert "10 iterations" in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [None, 60.0, 3600.0])
def test_a_short_run_is_never_asked_about(seconds: float | None) -> None:
    confirm_long_run(seconds)


def test_a_long_run_is_started_only_after_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(text: str, **_: object) -> bool:
        asked.append(text)
        raise click.Abort

    monkeypatch.setattr(click, "confirm", refuse)

    with pytest.raises(click.Abort):
        confirm_long_run(2 * 3600.0)
    assert asked == ["This may take 2 h 00 min. Start?"]
