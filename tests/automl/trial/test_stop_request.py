from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.study.ends import EndKind, EndReason, StopCause, StopKind
from automl.trial.stop_request import read_stop_request, request_stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CAUSES = (
    StopCause(kind=StopKind.SCHEDULER, detail="rung 3: too low", last_epoch=2),
    StopCause(kind=StopKind.STUDY, end=EndReason(kind=EndKind.TARGET, amount=0.9, metric="val/d1")),
)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_that_was_asked_for_is_the_cause_that_is_read(tmp_path: Path, cause: StopCause) -> None:
    request_stop(tmp_path, cause)

    assert read_stop_request(tmp_path) == cause


def test_nothing_is_read_where_nothing_was_asked(tmp_path: Path) -> None:
    assert read_stop_request(tmp_path) is None
    assert read_stop_request(tmp_path / "missing") is None


@pytest.mark.parametrize(("text", "reason"), [("", "stopped on request"), ("too slow\n", "too slow"), ("[1", "[1")])
def test_a_file_that_a_user_wrote_is_a_users_request(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "stop").write_text(text, encoding="utf-8")

    cause = read_stop_request(tmp_path)

    assert cause is not None
    assert (cause.kind, str(cause)) == (StopKind.USER, reason)


def test_a_request_that_leads_out_of_the_folder_asks_for_the_end_and_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "0000").mkdir()
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "0000/stop").symlink_to(tmp_path / "secret")

    cause = read_stop_request(tmp_path / "0000")

    assert str(cause) == "stopped on request"


@pytest.mark.parametrize("text", ["[" * 10_000, '{"kind": 7}'])
def test_a_request_that_is_no_cause_is_a_users_request(tmp_path: Path, text: str) -> None:
    (tmp_path / "stop").write_text(text, encoding="utf-8")

    cause = read_stop_request(tmp_path)

    assert cause is not None
    assert cause.kind is StopKind.USER


@pytest.mark.parametrize("damage", [lambda content: content.replace(b"0.9", b"0.8"), lambda content: content[:9]])
def test_a_request_that_was_changed_is_no_users_request(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    request_stop(tmp_path, CAUSES[1])
    file = tmp_path / "stop"
    file.write_bytes(damage(file.read_bytes()))

    cause = read_stop_request(tmp_path)

    assert cause is not None
    assert cause.kind is StopKind.INTERRUPTED
