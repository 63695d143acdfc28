"""The spool loses nothing, whoever is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.tracking.mlflow.outbox import Outbox
from automl.tracking.mlflow.projection import Upload, UploadKind

if TYPE_CHECKING:
    from pathlib import Path

URI = "http://user:secret@server:5000"


def entry(number: int) -> Upload:
    return Upload(UploadKind.TAGS, f"{number:04d}", {"values": {"automl.state": "RUNNING"}})


def test_entries_come_back_in_order_and_from_an_offset(tmp_path: Path) -> None:
    spool = Outbox(tmp_path)
    spool.append([entry(0), entry(1)])
    spool.append([entry(2)], is_durable=True)

    first, offset = spool.read(0, limit=2)
    rest, end = spool.read(offset)

    assert first == [entry(0), entry(1)]
    assert rest == [entry(2)]
    assert spool.read(end) == ([], end)


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    spool = Outbox(tmp_path)
    spool.append([entry(0)])
    with spool.queue_file.open("a", encoding="utf-8") as stream:
        stream.write('{"kind": "tags", "run"')

    entries, offset = spool.read(0)

    assert entries == [entry(0)]
    assert spool.read(offset) == ([], offset)


def test_a_torn_line_of_a_killed_process_is_cut_before_the_next_entry(tmp_path: Path) -> None:
    Outbox(tmp_path).append([entry(0)])
    with Outbox(tmp_path).queue_file.open("a", encoding="utf-8") as stream:
        stream.write('{"kind": "ta')

    Outbox(tmp_path).append([entry(1)])

    assert Outbox(tmp_path).read(0)[0] == [entry(0), entry(1)]


def test_a_number_that_is_not_finite_never_enters_the_queue(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Outbox(tmp_path).append([Upload(UploadKind.METRICS, "0000", {"values": {"loss": float("nan")}})])


def test_each_server_has_its_own_place_in_the_queue(tmp_path: Path) -> None:
    spool = Outbox(tmp_path)
    spool.append([entry(0)])
    state = spool.load_state(URI)
    state.offset = spool.read(0)[1]
    state.run_ids["study"] = "abc"

    spool.save_state(URI, state)

    assert spool.load_state(URI) == state
    assert spool.pending_bytes(URI) == 0
    assert spool.pending_bytes("sqlite:///other.db") == state.offset


def test_the_password_of_a_tracking_uri_is_not_written_to_disk(tmp_path: Path) -> None:
    spool = Outbox(tmp_path)
    spool.append([entry(0)])

    spool.save_state(URI, spool.load_state(URI))

    for file in tmp_path.iterdir():
        assert "secret" not in file.read_text(encoding="utf-8") + file.name


def test_the_study_id_stays_the_same_after_a_restart(tmp_path: Path) -> None:
    assert Outbox(tmp_path).study_id == Outbox(tmp_path).study_id
