"""Earlier studies that an MLflow store has recorded, as our own tracker writes them, with their trials.

A store that is down, slow or damaged costs seconds and a sentence in the plan, never a study.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from automl.config_files import parse_scalar
from automl.errors import LaunchError
from automl.space.document import PlannedParameter
from automl.space.parameters import ParameterType
from automl.spec.model import iterate_leaves
from automl.storage.study_history import digest_of
from automl.study.causes import origin_from
from automl.study.earlier import RecordedTrial, StudyHistory
from automl.study.finite import is_finite
from automl.study.objectives import Direction
from automl.study.trial import EarlierPoint, TrialState
from automl.tracking.mlflow.names import stored_name
from automl.tracking.mlflow.run_stores import run_store
from automl.tracking.mlflow.uri import without_password

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automl.skill.model import JsonValue
    from automl.space.values import Scalar
    from automl.study.model import StudyPlan
    from automl.tracking.mlflow.run_stores import Run

_LIMIT_S = 15.0
"""For all questions of one plan."""
_SKILL = "automl.sha256."
_ENDED = frozenset({"COMPLETED", "FAILED"})
_OBSERVED = {state.value: state for state in (TrialState.COMPLETED, TrialState.STOPPED, TrialState.DIVERGED)}


class RecordedStudies:
    """The studies of a plan's skill in one MLflow store, the newest first; used within a ``with`` block.

    Args:
        plan: The study that begins.
        tracking_uri: Of a server, or of a sqlite file.
    """

    def __init__(self, plan: StudyPlan, tracking_uri: str) -> None:
        self._plan = plan
        self._uri = tracking_uri
        self._until_s = time.monotonic() + _LIMIT_S
        self._store = run_store(tracking_uri)
        self._runs: list[Run] = []

    def __enter__(self) -> Self:
        """Ask which studies there are.

        Raises:
            LaunchError: the store does not answer as MLflow does, or not in time.
        """
        with self._asking():
            self._store.open()
            self._runs = self._store.studies(self._plan.skill.name)
        return self

    def __exit__(self, *_: object) -> None:
        """End the connection."""
        self._store.close()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn every way in which a store does not answer into one sentence."""
        import requests  # noqa: PLC0415 - only where a store is asked

        where = without_password(self._uri)
        if time.monotonic() > self._until_s:
            raise LaunchError(f"{where} was not asked further for earlier studies: it took {_LIMIT_S:.0f} s")
        try:
            yield
        except (requests.RequestException, sqlite3.Error, ValueError, LookupError, TypeError, AttributeError) as error:
            raise LaunchError(f"{where} was not asked for earlier studies: {type(error).__name__}") from None

    def histories(self) -> tuple[StudyHistory, ...]:
        """Return the studies without their trials."""
        return tuple(self._history(run) for run in self._runs)

    def study_ids(self) -> tuple[str, ...]:
        """Return the studies' own ids, in the same order; "" where a run has none."""
        return tuple(run.tags.get("automl.key", "").split("/")[0] for run in self._runs)

    def with_trials(self, history: StudyHistory) -> StudyHistory:
        """Return one of the histories with its trials.

        Raises:
            LaunchError: the store does not answer any more, or not in time.
        """
        run = self._runs[self.histories().index(history)]
        with self._asking():
            trials = (self._trial(run) for run in self._store.trials(run.key))
            return replace(history, trials=tuple(sorted(filter(None, trials), key=lambda trial: trial.number)))

    def began_with(self) -> tuple[tuple[EarlierPoint, ...], dict[str, str]] | None:
        """Return with which points a study of the plan's fingerprint began, and with which studies; None for none.

        Of each study it is the own id, or the name where it has none, and the name by which it was called.
        """
        repeated = [run.tags for run in self._runs if run.tags.get("automl.fingerprint") == self._plan.fingerprint]
        if not repeated:
            return None
        tags = repeated[-1]
        names = {name: name for name in tags.get("automl.earlier_studies", "").split(", ") if name}
        with suppress(ValueError, TypeError, KeyError):
            names = {str(key): str(name) for key, name in dict(json.loads(tags["automl.earlier_ids"])).items()}
        with suppress(ValueError, TypeError, KeyError):
            entries: Sequence[Mapping[str, Any]] = json.loads(tags.get("automl.first_points", "[]"))
            points = (
                EarlierPoint(
                    assignment=entry["assignment"], origin=origin_from(entry.get("origin_data", entry["origin"]))
                )
                for entry in entries
            )
            return tuple(points), names
        return (), names

    def _history(self, run: Run) -> StudyHistory:
        tags, searched = run.tags, run.tags.get("automl.space", "").split(", ")
        is_known_direction = tags.get("automl.direction") in set(Direction)
        return StudyHistory(
            name=run.name,
            fingerprint=tags.get("automl.fingerprint", ""),
            skill=tags.get("automl.skill", ""),
            network_arch=tags.get("automl.network_arch", ""),
            skill_files={name.removeprefix(_SKILL): tags[name] for name in tags if name.startswith(_SKILL)},
            metric=tags.get("automl.metric", "") if is_known_direction else "",
            direction=Direction(tags["automl.direction"]) if is_known_direction else Direction.MAXIMIZE,
            evaluated_with=digest_of(tags.get("automl.evaluate_with")),
            parameters=tuple(PlannedParameter(path=path, type=ParameterType.FLOAT) for path in searched),
            fixed=self._values(run.parameters, dict(iterate_leaves(self._plan.spec.values))),
            max_epochs=int(epochs) if (epochs := run.parameters.get("automl.max_epochs", "")).isdecimal() else None,
            started_s=run.started_ms / 1000,
            is_ended=tags.get("automl.state") in _ENDED,
            trials=(),
        )

    def _trial(self, run: Run) -> RecordedTrial | None:
        tags, state = run.tags, _OBSERVED.get(run.tags.get("automl.state", ""))
        number, replicate_of = (tags.get(f"automl.{name}", "") for name in ("trial", "replicate_of"))
        if state is None or not number.isdecimal() or tags.get("automl.changes"):
            return None
        value = run.metrics.get("automl.best", math.nan)
        return RecordedTrial(
            number=int(number),
            state=state,
            assignment=self._values(run.parameters, self._plan.space.default_assignment()),
            value=value if state.has_value and is_finite(value) else None,
            elapsed_s=run.metrics.get("automl.elapsed_s", 0.0),
            replicate_of=int(replicate_of) if replicate_of.isdecimal() else None,
            misses_constraint=bool(tags.get("automl.unmet")),
        )

    def _values(self, texts: Mapping[str, str], known: Mapping[str, JsonValue | Scalar]) -> dict[str, Any]:
        """Return the values of parameters that MLflow has as text; ``known`` has values of the same type."""
        searched = {parameter.path: parameter for parameter in self._plan.space.parameters}
        found: dict[str, Any] = {}
        for path in {**known, **searched}:
            text = texts.get(stored_name(path))
            options = (*searched[path].choices, *searched[path].beside) if path in searched else ()
            if text is not None:
                like = next((one for one in (*options, known.get(path)) if str(one) == text), None)
                found[path] = parse_scalar(text) if like is None and text != "None" else like
        return found
