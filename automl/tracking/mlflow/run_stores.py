"""Read the runs of an MLflow store without the five seconds that importing MLflow takes.

A server is asked over its REST interface; the tables of a sqlite file are read.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError
from automl.tracking.mlflow.rest import ask, is_server, open_session
from automl.tracking.mlflow.uri import sqlite_file, without_password

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import requests

_MOST_EXPERIMENTS = 200
_MOST_STUDIES = 50
_MOST_TRIALS = 200


@dataclass(frozen=True, slots=True)
class Run:
    """A run of MLflow, with the last value of each metric."""

    key: str
    name: str
    started_ms: float
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]


class RunStore(ABC):
    """How the runs of a store are read."""

    def open(self) -> None:
        """Begin; nothing is asked before."""

    @abstractmethod
    def studies(self, skill: str) -> list[Run]:
        """Return the runs of the studies of a skill, the newest first."""

    @abstractmethod
    def trials(self, study: str) -> list[Run]:
        """Return the runs of the trials of a study, the oldest first."""

    @abstractmethod
    def close(self) -> None:
        """End."""


class _ServerRuns(RunStore):
    def __init__(self, tracking_uri: str) -> None:
        if not is_server(tracking_uri):
            where, reason = without_password(tracking_uri), "it is neither a server nor a sqlite file"
            raise LaunchError(f"{where} was not asked for earlier studies: {reason}")
        self._uri = tracking_uri
        self._session: requests.Session = open_session()
        self._experiments: list[str] = []

    def studies(self, skill: str) -> list[Run]:
        found = ask(self._session, self._uri, "experiments/search", {"max_results": _MOST_EXPERIMENTS})
        self._experiments = [experiment["experiment_id"] for experiment in found.get("experiments", ())]
        wanted = f"tags.`automl.kind` = 'study' and tags.`automl.skill` = '{skill}'"
        return self._search(wanted, _MOST_STUDIES, "DESC")

    def trials(self, study: str) -> list[Run]:
        wanted = f"tags.`automl.kind` = 'trial' and tags.`mlflow.parentRunId` = '{study}'"
        return self._search(wanted, _MOST_TRIALS, "ASC")

    def _search(self, wanted: str, most: int, order: str) -> list[Run]:
        if not self._experiments:
            return []
        question = {
            "experiment_ids": self._experiments,
            "filter": wanted,
            "max_results": most,
            "order_by": [f"attributes.start_time {order}"],
        }
        return [_from_rest(run) for run in ask(self._session, self._uri, "runs/search", question).get("runs", ())]

    def close(self) -> None:
        self._session.close()


def _from_rest(run: Mapping[str, Any]) -> Run:
    info, data = run.get("info", {}), run.get("data", {})
    tags, parameters = ({e["key"]: e["value"] for e in data.get(kind, ())} for kind in ("tags", "params"))
    metrics = {entry["key"]: float(entry["value"]) for entry in data.get("metrics", ())}
    name = info.get("run_name") or tags.get("mlflow.runName", "")
    return Run(info.get("run_id", ""), name, float(info.get("start_time", 0)), tags, parameters, metrics)


class _SqliteRuns(RunStore):
    """Tables as in ``mlflow.store.tracking.dbmodels.models``, version 3."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._store: sqlite3.Connection | None = None

    def open(self) -> None:
        if self._file.is_file():
            self._store = sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True, timeout=3)

    def studies(self, skill: str) -> list[Run]:
        return self._search({"automl.kind": "study", "automl.skill": skill}, _MOST_STUDIES, "DESC")

    def trials(self, study: str) -> list[Run]:
        return self._search({"automl.kind": "trial", "mlflow.parentRunId": study}, _MOST_TRIALS, "ASC")

    def _search(self, tags: Mapping[str, str], most: int, order: str) -> list[Run]:
        if self._store is None:
            return []
        wanted = " AND ".join("run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)" for _ in tags)
        query = f"SELECT run_uuid, name, start_time FROM runs WHERE lifecycle_stage = 'active' AND {wanted}"  # noqa: S608 - placeholders
        values = [text for pair in tags.items() for text in pair]
        rows = self._store.execute(f"{query} ORDER BY start_time {order}, run_uuid LIMIT {most}", values).fetchall()
        return [
            Run(
                key,
                name or "",
                float(started or 0),
                self._of("tags", key),
                self._of("params", key),
                {k: float(v) for k, v in self._of("latest_metrics", key, "AND NOT is_nan").items()},
            )
            for key, name, started in rows
        ]

    def _of(self, table: str, run: str, condition: str = "") -> dict[str, Any]:
        if self._store is None:
            return {}
        query = f"SELECT key, value FROM {table} WHERE run_uuid = ? {condition}"  # noqa: S608 - our own names
        return dict(self._store.execute(query, [run]).fetchall())

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


def run_store(tracking_uri: str) -> RunStore:
    """Return the store of a tracking URI.

    Raises:
        LaunchError: it is neither a server nor a sqlite file.
    """
    file = sqlite_file(tracking_uri)
    return _ServerRuns(tracking_uri) if file is None else _SqliteRuns(file)
