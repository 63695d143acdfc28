"""A sqlite store is whole or not there, and what somebody keeps in one is never touched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from automl.tracking.mlflow.new_store import first_touch_lock

if TYPE_CHECKING:
    from pathlib import Path


def write_tables(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as store:
        for statement in statements:
            store.execute(statement)
        store.commit()


@pytest.mark.parametrize("left", ["nothing", "half of its tables"])
def test_a_store_that_was_not_made_to_its_end_is_made(tmp_path: Path, left: str) -> None:
    file = tmp_path / "a store, é" / "mlflow.db"
    file.parent.mkdir()
    if left == "half of its tables":
        revision = "insert into alembic_version values ('451aebb31d03')"
        tables = [f"create table {name} (x text)" for name in ("experiments", "secrets", "alembic_version")]
        write_tables(file, *tables, revision)
        (file.parent / "mlflow.db.part").write_bytes(b"torn")

    with first_touch_lock(f"sqlite:///{file}"):
        found = MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()

    assert [experiment.name for experiment in found] == ["Default"]
    assert (file.stat().st_mode & 0o777, sorted(path.name for path in file.parent.iterdir())) == (
        0o600,
        ["mlflow-artifacts", "mlflow.db", "mlflow.db.lock"],
    )


def test_a_store_that_holds_something_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    write_tables(file, "create table notes (x text)", "insert into notes values ('mine')")
    before = file.read_bytes()

    with first_touch_lock(f"sqlite:///{file}"):
        pass

    assert file.read_bytes() == before
