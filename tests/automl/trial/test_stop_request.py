from __future__ import annotations

from typing import TYPE_CHECKING

from automl.trial.stop_request import read_stop_request, request_stop

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_asked_is_what_is_read(tmp_path: Path) -> None:
    request_stop(tmp_path, "rung 3: too low")

    assert read_stop_request(tmp_path) == "rung 3: too low"


def test_nothing_is_read_where_nothing_was_asked(tmp_path: Path) -> None:
    assert read_stop_request(tmp_path) is None
    assert read_stop_request(tmp_path / "missing") is None


def test_an_empty_file_made_by_hand_stops_too(tmp_path: Path) -> None:
    (tmp_path / "stop").touch()

    assert read_stop_request(tmp_path) == "stopped on request"
