"""A new sqlite store of MLflow: whole, or not there.

MLflow makes its tables in some 70 steps. A process that is killed meanwhile would leave a file that MLflow can neither
use nor complete, and no later study of that results folder would be recorded.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING

from automl.regular_file import open_to_append
from automl.tracking.mlflow.moved import follow_move
from automl.tracking.mlflow.uri import ARTIFACTS, default_tracking_uri, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAST = Path("/dev/shm")  # noqa: S108 # a private folder in it
"""In memory: the tables take 2 s there, and over 40 s on a disk that is busy, which each of the steps waits for."""
_FILLED_WHEN_MADE = frozenset({"alembic_version", "workspaces"})
"""Tables that have rows before the store holds anything. A whole store has an experiment, which MLflow makes last."""


@contextmanager
def first_touch_lock(tracking_uri: str) -> Iterator[None]:
    """Let one process at a time make the tables of a new sqlite file; two at once fail in the migration.

    The store is made for this user alone: logs and specs are copied into it.
    """
    file = sqlite_file(tracking_uri)
    if file is None:
        yield
        return
    for folder in (file.parent, file.parent / ARTIFACTS):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # not of a study: the store
    lock = Path(f"{file}.lock")
    with open_to_append(lock) as stream:
        flock(stream, LOCK_EX)
        _make_whole(file)
        follow_move(file)
        yield


def _make_whole(file: Path) -> None:
    """Make a store that is not there, or that holds nothing because it was not made to its end."""
    if file.exists() and not _is_empty(file):
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 # 3 s

    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)  # not of a study: of a process that was killed here
    part.touch(mode=0o600)
    with tempfile.TemporaryDirectory(dir=_FAST if os.access(_FAST, os.W_OK) else None) as folder:
        uri = default_tracking_uri(Path(folder))
        artifacts = (file.absolute().parent / ARTIFACTS).as_uri()
        store = SqlAlchemyStore(uri, artifacts)  # type: ignore[no-untyped-call] # MLflow's
        store.engine.dispose()
        shutil.copyfile(Path(folder) / Path(uri).name, part)
    with part.open("rb") as written:
        os.fsync(written)
    for left in (Path(f"{file}-{ending}") for ending in ("journal", "wal", "shm")):
        left.unlink(missing_ok=True)  # not of a study: sqlite would apply it to the new file
    part.replace(file)


def _is_empty(file: Path) -> bool:
    """Tell whether no table of a database has a row that somebody has put there."""
    with closing(sqlite3.connect(file)) as store:
        try:
            names = [name for (name,) in store.execute("select name from sqlite_master where type = 'table'")]
            kept = (name.replace('"', '""') for name in names if name not in _FILLED_WHEN_MADE)
            return not any(store.execute(f'select 1 from "{name}" limit 1').fetchone() for name in kept)  # noqa: S608 # its own names
        except sqlite3.DatabaseError:  # no database, or in use: MLflow says so
            return False
