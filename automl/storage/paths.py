"""Where every file of a study directory lies; no other module of `automl` spells the name of one.

```
<results>/<study>/
  plan.json            the request and the plan
  events.jsonl         the event log
  journal.log          Optuna's journal; journal.log.owner is locked by the process that runs the study
  stop                 asks for the end of the study
  trials/0007/         one attempt: spec, log, the trainer's files, result.json; a second attempt lies in trials/0007.2/
  tracking/mlflow/     how far each MLflow server has the study
  warm_server.log      what the server that forks trainers has printed
  best/ best_spec.yaml best.json    the best checkpoint, the spec that made it, its provenance
  evaluations.json     what the starting checkpoint and the best one scored
  actions/evaluate-1/  one action on a checkpoint: spec, log, files, result.json
  record.json          where MLflow has the study
  report.html          the report
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.skill.model import ConfigFormat

STATUS_FILE = "status.json"
"""The trainer's status file, in its own folder or in one below it."""

PANELS = "panels"
"""The folder of the pictures of predictions, in the trainer's own folder."""

_PLAN = "plan.json"
_RESULT = "result.json"
_TENSORBOARD = "events.out.tfevents"


@dataclass(frozen=True, slots=True)
class _RunPaths:
    """Files that a trial's attempt and an action have in common.

    Attributes:
        root: Their directory.
    """

    root: Path

    def spec_file(self, config_format: ConfigFormat) -> Path:
        """Return the spec that the trainer reads."""
        return self.root / f"spec.{config_format.value}"

    @property
    def result_file(self) -> Path:
        """How it ended; for an attempt only the first one's is used."""
        return self.root / _RESULT

    @property
    def status_file(self) -> Path:
        """The trainer's status file, where the trainer does not write it into a folder below."""
        return self.root / STATUS_FILE

    def status_files(self) -> Iterator[Path]:
        """Return the status files that exist, in no order."""
        return self.root.rglob(STATUS_FILE)

    def panels(self) -> list[Path]:
        """Return the pictures of predictions that the trainer has written, in order of their names."""
        return sorted(self.root.rglob(f"{PANELS}/*.png"))


@dataclass(frozen=True, slots=True)
class AttemptPaths(_RunPaths):
    """Paths inside the directory of one attempt of a trial."""

    @property
    def start_file(self) -> Path:
        """How the attempt starts."""
        return self.root / "attempt.json"

    @property
    def log_file(self) -> Path:
        """What the trainer prints."""
        return self.root / "train.log"

    @property
    def stop_file(self) -> Path:
        """Asks for the end of the attempt; its text is the reason."""
        return self.root / "stop"

    @property
    def parent_checkpoints(self) -> Path:
        """The folder of the checkpoint of another trial that a clone begins with."""
        return self.root / "parent"

    @property
    def measuring_log(self) -> Path:
        """What the command of ``evaluate_with`` prints."""
        return self.root / "evaluate_with.log"

    @property
    def measuring_metrics(self) -> Path:
        """The metrics file of the command of ``evaluate_with``."""
        return self.root / "evaluate_with.json"

    def tensorboard_file(self, suffix: str) -> Path:
        """Return a TensorBoard file of this attempt."""
        return self.root / f"{_TENSORBOARD}.{suffix}"


@dataclass(frozen=True, slots=True)
class ActionPaths(_RunPaths):
    """Paths inside the directory of one action on a checkpoint, ``actions/evaluate-1``."""

    @property
    def log_file(self) -> Path:
        """What the action prints: ``evaluate.log``."""
        return self.root / f"{self.root.name.rpartition('-')[0]}.log"

    @property
    def inherited_spec(self) -> Path:
        """The action's template with the values that it inherits from the training."""
        return self.root / "inherited.yaml"

    def products(self) -> Iterator[Path]:
        """Yield what the action has made, without spec, log and status, in order of their paths."""
        named = {self.log_file, self.inherited_spec, self.result_file}
        for file in sorted(self.root.rglob("*")):
            is_spec = file.parent == self.root and file.stem == "spec"
            is_ours = file in named or is_spec or file.name in {STATUS_FILE, "experiment.yaml"}
            if file.is_file() and not is_ours:
                yield file


@dataclass(frozen=True, slots=True)
class StudyPaths:
    """Paths inside a study directory.

    Attributes:
        root: The directory, absolute.
    """

    root: Path

    @property
    def plan_file(self) -> Path:
        """The request and the plan."""
        return self.root / _PLAN

    @property
    def events_file(self) -> Path:
        """The event log: one JSON line per event."""
        return self.root / "events.jsonl"

    @property
    def old_events_file(self) -> Path:
        """The event log that version 0.1 wrote, of a study that was resumed since."""
        return self.root / "events-0.1.jsonl"

    @property
    def reports_file(self) -> Path:
        """What the scheduler of version 0.1 decided: one JSON line per value."""
        return self.root / "reports.jsonl"

    @property
    def journal_file(self) -> Path:
        """Optuna's journal."""
        return self.root / "journal.log"

    @property
    def owner_file(self) -> Path:
        """Locked by the process that runs the study."""
        return self.root / "journal.log.owner"

    @property
    def stop_file(self) -> Path:
        """Asks for the end of the study; its text is the reason."""
        return self.root / "stop"

    @property
    def mlflow(self) -> Path:
        """The folder of how far each MLflow server has the study."""
        return self.root / "tracking" / "mlflow"

    @property
    def outbox(self) -> Path:
        """The folder in which the version before kept what MLflow was to be sent."""
        return self.root / "spool"

    @property
    def warm_server_log(self) -> Path:
        """What the server that forks trainers has printed."""
        return self.root / "warm_server.log"

    @property
    def best(self) -> Path:
        """The folder of the best checkpoint."""
        return self.root / "best"

    @property
    def best_spec(self) -> Path:
        """The spec that made the best checkpoint."""
        return self.root / "best_spec.yaml"

    @property
    def best_file(self) -> Path:
        """The provenance of the best checkpoint."""
        return self.root / "best.json"

    @property
    def evaluations_file(self) -> Path:
        """What the starting checkpoint and the best one scored."""
        return self.root / "evaluations.json"

    @property
    def record_file(self) -> Path:
        """Where MLflow has the study."""
        return self.root / "record.json"

    @property
    def report_file(self) -> Path:
        """The report."""
        return self.root / "report.html"

    @property
    def trials(self) -> Path:
        """The folder of the trials."""
        return self.root / "trials"

    def attempt(self, number: int, attempt: int = 1) -> AttemptPaths:
        """Return the paths of an attempt of a trial; its directory need not exist."""
        name = f"{number:04d}" if attempt == 1 else f"{number:04d}.{attempt}"
        return AttemptPaths(self.trials / name)

    def attempts(self, number: int) -> list[AttemptPaths]:
        """Return the paths of a trial's attempts that have a directory, in order of their names."""
        first = self.attempt(number).root
        folders = [first, *sorted(first.parent.glob(f"{first.name}.*"))]
        return [AttemptPaths(folder) for folder in folders if folder.is_dir()]

    def result_file(self, number: int) -> Path:
        """Return the file of a trial's result: one for all its attempts."""
        return self.attempt(number).result_file

    def result_files(self) -> list[Path]:
        """Return the results of trials that exist, in order of their paths."""
        return sorted(self.trials.glob(f"[0-9]*/{_RESULT}"))

    def action(self, key: str) -> ActionPaths:
        """Return the paths of an action, by its key ``evaluate-1``; its directory need not exist."""
        return ActionPaths(self.root / "actions" / key)

    def relative(self, path: Path) -> str:
        """Return a path relative to the directory; as it is where it lies outside."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def find_studies(results: Path) -> list[StudyPaths]:
    """Return the studies of a results folder, in order of their names; none where there is no such folder."""
    return [StudyPaths(file.parent) for file in sorted(results.glob(f"*/{_PLAN}")) if file.is_file()]
