"""A sqlite store that was moved or copied with its results folder: its artifacts lie beside it, and it is to say so.

MLflow keeps absolute addresses of artifacts, so a store that lies elsewhere names a folder that is gone, or that of the
store it was copied from. Stores that `automl` makes have their artifacts in ``mlflow-artifacts`` beside the file.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from automl.regular_file import followed
from automl.tracking.mlflow.uri import ARTIFACTS

logger = logging.getLogger(__name__)

_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)


def follow_move(file: Path) -> None:
    """Correct the addresses in a sqlite store whose artifacts lie beside it now; one that does not exist stays so.

    Raises:
        OSError: the store cannot be read or written.
    """
    if not file.is_file():
        return
    folder = file.absolute().parent
    try:
        with closing(sqlite3.connect(file, timeout=60)) as store, store:
            for earlier in _earlier_folders(store, folder):
                _replace(store, earlier, folder)
                logger.info("%s lay in %s before: its addresses are corrected", file, earlier)
    except sqlite3.Error as error:
        raise OSError(f"{file}: {error}") from error


def _earlier_folders(store: sqlite3.Connection, folder: Path) -> set[Path]:
    """Return where the store lay when it noted the addresses of artifacts that lie in ``folder`` now."""
    if not _has(store, "experiments", "artifact_location"):
        return set()
    found = store.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file:%'")
    paths = [Path(unquote(urlsplit(address).path)) for (address,) in found]
    beside = [path for path in paths if path.parent.name == ARTIFACTS and (folder / ARTIFACTS / path.name).is_dir()]
    return {path.parent.parent for path in beside if followed(path.parent.parent) != followed(folder)}


def _replace(store: sqlite3.Connection, earlier: Path, folder: Path) -> None:
    changes = [(table, column, "TRUE", earlier.as_uri(), folder.as_uri()) for table, column in _ADDRESSES]
    changes.append(("tags", "value", "key = 'automl.directory'", str(earlier), str(folder)))
    for table, column, condition, old, new in changes:
        if _has(store, table, column):
            statement = (
                f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1)"  # noqa: S608 # our own names
                f" WHERE {condition} AND substr({column}, 1, length(:old)) = :old"
            )
            store.execute(statement, {"old": f"{old}/", "new": f"{new}/"})


def _has(store: sqlite3.Connection, table: str, column: str) -> bool:
    found = store.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, column))
    return found.fetchone() is not None
