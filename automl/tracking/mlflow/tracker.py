"""Record a study in MLflow without ever making it wait: events go to the spool, a writer process sends them.

Nothing here imports MLflow. A full disk or a server that is down never raises into the study; what could not be sent
stays in the spool, and `sync` sends it later without duplicates.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, Problem
from automl.skill.model import ConfigFormat
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.evaluation import Evaluation, RecordLocation
from automl.study.incumbent import Incumbent
from automl.tracking.base import Tracker
from automl.tracking.mlflow.entries import (
    STUDY_RUN,
    action_entries,
    evaluation_entries,
    incumbent_entry,
    measurement_entries,
    study_end_entries,
    study_entries,
    study_suspension_entries,
    trial_end_entries,
    trial_start_entries,
)
from automl.tracking.mlflow.outbox import Entry, EntryKind, Outbox
from automl.tracking.mlflow.uri import without_password
from automl.tracking.mlflow.writer import QUIET_ENVIRONMENT, URI_VARIABLE
from automl.tracking.versions import collect_data, collect_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from automl.study.model import Objective, StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal, TrialResult
    from automl.tracking.mlflow.model_version import ModelVersionRequest

logger = logging.getLogger(__name__)

_MAX_PANELS = 32
_MAX_FILE_BYTES = 64 * 1024 * 1024
_PATIENCE_S = 15.0
_GIVE_UP_GRACE_S = 30.0
"""A writer that is given up may be in the middle of a request or of making a store."""


class MlflowTracker(Tracker):
    """Records a study in MLflow.

    Args:
        tracking_uri: sqlite file or server.
        experiment: Name of the experiment; made if missing.
        spool: Folder of the spool, inside the study directory.
    """

    def __init__(self, tracking_uri: str, experiment: str, spool: Path) -> None:
        self._uri = tracking_uri
        self._experiment = experiment
        self._spool = Outbox(spool)
        self._root = spool.parent
        self._writer: subprocess.Popen[bytes] | None = None
        self._seen: set[tuple[str, str, int, float]] = set()
        self._epochs: dict[int, int] = {}
        self._held: dict[int, list[Entry]] = {}
        self._objective: Objective | None = None
        self._incumbent: Incumbent | None = None
        self._has_warned = False
        self._is_given_up = False
        self._is_suspended = False
        self._has_begun = False

    def study_started(self, plan: StudyPlan, directory: Path) -> None:
        """Open the study's run and start the writer; after a resume, learn what was recorded before."""
        self._objective = plan.objective
        self._incumbent = Incumbent(plan, read_results(StudyPaths(directory)))
        self._seen.update(_recorded(self._spool))
        facts = {f"version.{name}": version for name, version in collect_versions(plan).items()}
        facts |= {f"data.{name}": words for name, words in collect_data(plan).items()}
        self._append(study_entries(plan, directory, facts, _now_ms()), is_durable=True)
        self._start_writer(patience_s=_PATIENCE_S)

    def trial_started(self, proposal: Proposal, directory: Path, attempt: int) -> None:
        """Open the trial's run, or the same one again for a further attempt."""
        self._append(trial_start_entries(proposal, self._relative(directory), attempt, _now_ms()))

    def measured(self, number: int, measurement: Measurement) -> None:
        """Record a measurement; one that was recorded already (a status file read again) is left out."""
        if measurement.epoch is not None:
            self._epochs[number] = measurement.epoch
        self._let_begin()
        step = self._epochs.get(number, 0)
        time_ms = int(measurement.unix_time_s * 1000) or _now_ms()
        entries = [entry for entry in measurement_entries(number, measurement, step, time_ms) if self._is_new(entry)]
        if number not in self._epochs and all(entry.kind is EntryKind.METRICS for entry in entries):
            # MLflow's comparison opens on the metric that a run got first: that shall not be its memory.
            self._held.setdefault(number, []).extend(entries)
            return
        self._append([*entries, *self._held.pop(number, [])])

    def trial_ended(self, result: TrialResult) -> None:
        """Record how the trial ended, its files, and the study's new best value if it is one."""
        metric = self._objective.metric if self._objective else ""
        time_ms = _now_ms()
        self._append(self._held.pop(result.number, []))
        entries = trial_end_entries(result, metric, self._kept_files(result), time_ms)
        best = self._incumbent.learn(result) if self._incumbent is not None else None
        news = [] if best is None else [incumbent_entry(best, result.number, time_ms)]
        self._append([*entries, *news], is_durable=True)

    def study_ended(self, result: StudyResult) -> None:
        """Record the end of the study."""
        self._append(study_end_entries(result, _now_ms()), is_durable=True)

    def study_suspended(self, reason: str) -> None:
        """Record that the study was cut off."""
        self._is_suspended = True
        self._append(study_suspension_entries(reason, _now_ms()), is_durable=True)

    def register_model(self, request: ModelVersionRequest) -> None:
        """Register the study's best checkpoint as a new version of its model, with the alias ``champion``."""
        data: dict[str, Any] = {
            "name": request.name,
            "files": dict(request.files),
            "tags": dict(request.tags),
            "network_arch": request.network_arch,
            "metadata": dict(request.metadata),
            "later_tags": dict(request.later_tags),
        }
        self._append([Entry(EntryKind.MODEL, STUDY_RUN, data)], is_durable=True)

    def action_ended(self, key: str, result: Mapping[str, Any]) -> None:
        """Record an action on a checkpoint, with its log and the small files that it wrote; once, however often told.

        Args:
            key: The action's key: ``evaluate-1``.
            result: Its ``result.json``.
        """
        if self._spool.has_run(key):
            return
        log = self._relative(StudyPaths(self._root).action(key).log_file)
        small = [path for path in result["files"] if _is_small(self._root / path)]
        files = [path for path in (log, *small[:_MAX_PANELS]) if (self._root / path).is_file()]
        self._append(action_entries(key, result, files, _now_ms()), is_durable=True)

    def evaluated(self, evaluations: Mapping[str, Evaluation]) -> None:
        """Record what baseline and champion scored, as metrics and tags of the study.

        Args:
            evaluations: `evaluations.json`: role -> evaluation.
        """
        entries = evaluation_entries(evaluations, _now_ms())
        self._append([entry for entry in entries if self._is_new(entry)], is_durable=True)

    def attach(self, run: str, path: str, *, folder: str = "") -> None:
        """Keep a file as an artifact of a run.

        Args:
            run: ``study``, a trial's ``0007`` or an action's key.
            path: Relative to the study directory, or absolute.
            folder: Folder inside the run's artifacts.
        """
        self._append([Entry(EntryKind.ARTIFACT, run, {"path": path, "folder": folder})])

    def describe(self, *, timeout_s: float = 0.0) -> RecordLocation:
        """Return where MLflow has the study.

        Args:
            timeout_s: How long to wait for the writer to have made the run; ``run_id`` is None if it has not by then.
        """
        deadline = time.monotonic() + timeout_s
        while (run_id := self._spool.load_state(self._uri).run_ids.get(STUDY_RUN)) is None:
            if time.monotonic() >= deadline or self._writer is None or self._writer.poll() is not None:
                break
            time.sleep(0.05)
        return RecordLocation(tracking_uri=without_password(self._uri), experiment=self._experiment, run_id=run_id)

    @property
    def unsent_bytes(self) -> int:
        """How much of the spool the server does not have."""
        return self._spool.pending_bytes(self._uri)

    @contextlib.contextmanager
    def given_up_if_interrupted(self) -> Iterator[None]:
        """On Ctrl-C end the writer without sending what is left; a resume or `automl sync` does.

        While trials run a signal is no KeyboardInterrupt. At any other time nobody wants to wait for MLflow's start.
        """
        try:
            yield
        except KeyboardInterrupt:
            if self._writer is not None:
                _finish(self._writer, 0.0, grace_s=_GIVE_UP_GRACE_S)
                self._writer = None
            self._is_given_up = True
            raise

    def close(self, timeout_s: float = 30.0) -> None:
        """Let the writer send what is left and end it. A server that is down is given up after two attempts."""
        if self._is_given_up:
            self._spool.close()
            return
        if self._writer is None and self.unsent_bytes:
            self._start_writer()
        if self._is_suspended and self.unsent_bytes:
            logger.warning("sending the record to MLflow; Ctrl-C leaves the rest to `automl sync`, or to a resume")
        if self._writer is not None:
            _finish(self._writer, timeout_s)
            self._writer = None
        self._spool.close()
        if self.unsent_bytes:
            problem = self._spool.load_state(self._uri).problem or f"see {self._spool.log_file}"
            logger.warning("MLflow does not have all of the record yet (%s); `automl sync` sends the rest", problem)

    def _append(self, entries: Iterable[Entry], *, is_durable: bool = False) -> None:
        try:
            self._spool.append(entries, is_durable=is_durable)
        except OSError as error:
            if not self._has_warned:
                logger.warning("the record for MLflow cannot be written to %s: %s", self._spool.root, error)
            self._has_warned = True

    def _start_writer(self, *, patience_s: float = 0.0) -> None:
        if self._writer is not None and self._writer.poll() is None:
            return
        try:
            self._writer = start_writer(self._spool, self._uri, self._experiment, patience_s=patience_s)
        except OSError as error:
            logger.warning("the MLflow writer could not be started: %s", error)

    def _let_begin(self) -> None:
        """Let the writer begin: a trial runs, so that nothing waits for the processor any more."""
        if self._has_begun or self._writer is None or self._writer.stdin is None:
            return
        self._has_begun = True
        with contextlib.suppress(OSError):  # it has died, and `close` starts another one
            self._writer.stdin.write(b"begin\n")
            self._writer.stdin.flush()

    def _is_new(self, entry: Entry) -> bool:
        if entry.kind is not EntryKind.METRICS:
            return True
        points = set(_points(entry))
        is_new = not points <= self._seen
        self._seen |= points
        return is_new

    def _kept_files(self, result: TrialResult) -> list[str]:
        attempt = StudyPaths(self._root).attempt(result.number, result.attempt)
        files = [attempt.spec_file(config_format) for config_format in ConfigFormat]
        files += [attempt.status_file, attempt.log_file, *sorted(attempt.status_files())[:1]]
        files += attempt.panels()[-_MAX_PANELS:]
        return [self._relative(file) for file in dict.fromkeys(files) if file.is_file()]

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)


def start_writer(
    spool: Outbox, tracking_uri: str, experiment: str, *, patience_s: float = 0.0
) -> subprocess.Popen[bytes]:
    """Start the writer process of a spool.

    Args:
        spool: What it sends.
        tracking_uri: Where to.
        experiment: Name of the experiment.
        patience_s: How long it waits for the line ``begin`` before it does anything that takes time.

    Raises:
        OSError: the process could not be started or its log not be opened.
    """
    spool.root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "automl.tracking.mlflow.writer", str(spool.root), experiment, str(patience_s)]
    environment = {**os.environ, **QUIET_ENVIRONMENT, URI_VARIABLE: tracking_uri}
    with spool.log_file.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 # our own module, no shell
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def sync(spool: Path, tracking_uri: str, *, experiment: str | None = None, timeout_s: float = 600.0) -> None:
    """Send everything that a study's spool holds and a server does not have yet. Sending twice changes nothing.

    Args:
        spool: The spool folder of the study.
        tracking_uri: The server; a different one than before gets the whole record.
        experiment: Name of the experiment; the study's name by default.
        timeout_s: Give up after this long.

    Raises:
        LaunchError: there is no spool, or the server did not take everything.
    """
    queue = Outbox(spool)
    if not queue.queue_file.is_file():
        raise LaunchError(
            "there is nothing to send",
            [Problem(where=str(spool), found="no queue.jsonl", expected="the spool of a study", fix="name a study")],
        )
    _finish(start_writer(queue, tracking_uri, experiment or _study_name(spool.parent)), timeout_s)
    if queue.pending_bytes(tracking_uri):
        state = queue.load_state(tracking_uri)
        raise LaunchError(
            "the record could not be sent",
            [
                Problem(
                    where=without_password(tracking_uri),
                    found=state.problem or f"no answer; see {queue.log_file}",
                    expected="an MLflow tracking server or a sqlite file that answers",
                    fix="start the server or give another --tracking-uri, then sync again; nothing is lost",
                )
            ],
        )


def _study_name(root: Path) -> str:
    try:
        return str(json.loads(StudyPaths(root).plan_file.read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError):
        return root.name


def _finish(writer: subprocess.Popen[bytes], timeout_s: float, *, grace_s: float = 1.0) -> None:
    try:
        writer.communicate(f"finish {timeout_s}\n".encode(), timeout=timeout_s + grace_s)
    except subprocess.TimeoutExpired:
        writer.kill()
        writer.communicate()


def _recorded(spool: Outbox) -> Iterator[tuple[str, str, int, float]]:
    offset, entries = 0, [Entry(EntryKind.TAGS, "", {})]
    while entries:
        entries, offset = spool.read(offset)
        for entry in entries:
            if entry.kind is EntryKind.METRICS:
                yield from _points(entry)


def _points(entry: Entry) -> Iterator[tuple[str, str, int, float]]:
    for name, value in entry.data["values"].items():
        yield entry.run, name, entry.data["step"], value


def _is_small(file: Path) -> bool:
    return file.is_file() and file.stat().st_size <= _MAX_FILE_BYTES


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
