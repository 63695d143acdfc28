"""Where every file of a study directory lies; no other module of `automl` spells the name of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.storage.held_study import require_held
from automl.storage.trainer_files import can_open, files_below

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from automl.skill.model import ConfigFormat

STATUS_FILE = "status.json"
"""The trainer's status file, in its own folder or in one below it."""

STOP_FILE = "stop"
"""The file that asks for the end of an attempt, in its folder."""

PANELS = "panels"
"""The folder of the pictures of predictions, in the trainer's own folder."""

TRASH = ".automl_trash"
"""The folder of what `automl clean` has moved away: in the study, the results folder or the linked folder it lay in."""

_MOST_MISSING = 5
_PLAN = "plan.json"
_RESULT = "result.json"
TENSORBOARD = "events.out.tfevents."
"""How the names of TensorBoard's event files begin."""


def make_folder(folder: Path, *, below: Path) -> None:
    """Make a folder for this user alone, and the missing ones between it and one that is there.

    So writers make no study again that was moved meanwhile: only its start makes its directory.

    Raises:
        OSError: it cannot be made, or the folder that it is to be below is gone, or replaced (see `require_held`).
    """
    require_held(folder)
    parts = folder.relative_to(below).parts
    for count in range(1, len(parts) + 1):
        below.joinpath(*parts[:count]).mkdir(mode=0o700, exist_ok=True)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A directory with files at fixed places.

    Attributes:
        root: The directory, absolute.
    """

    root: Path


class Place:
    """The path of one file or folder below a directory.

    Args:
        name: Relative to the directory.
        content: What is there, as a sentence; the documentation lists it.
    """

    def __init__(self, name: str, content: str) -> None:
        self.name = name
        self.content = content

    def __get__(self, folder: _Folder, kind: type[_Folder]) -> Path:
        return folder.root / self.name


@dataclass(frozen=True, slots=True)
class _RunPaths(_Folder):
    """Files that a trial's attempt and an action have in common."""

    result_file = Place(_RESULT, "How it ended; for an attempt only the first one's is used.")
    status_file = Place(
        STATUS_FILE, "The trainer's status file, where the trainer does not write it into a folder below."
    )

    def spec_file(self, config_format: ConfigFormat) -> Path:
        """Return the spec that the trainer reads."""
        return self.root / f"spec.{config_format.value}"

    def status_files(self) -> Iterator[Path]:
        """Yield the status files that exist."""
        return files_below(self.root, STATUS_FILE)

    def panels(self) -> list[Path]:
        """Return the pictures of predictions that the trainer has written, in order of their names."""
        return sorted(file for file in files_below(self.root, "*.png") if file.parent.name == PANELS)


@dataclass(frozen=True, slots=True)
class AttemptPaths(_RunPaths):
    """Paths inside the directory of one attempt of a trial."""

    start_file = Place("attempt.json", "How the attempt starts.")
    log_file = Place("train.log", "What the trainer prints.")
    own_log = Place("train.own.log", "What a trainer has written under the name of the log, which it had removed.")
    stop_file = Place(STOP_FILE, "Asks for the end of the attempt; its text is the reason.")
    parent_checkpoints = Place("parent", "The folder of the checkpoint of another trial that a clone begins with.")
    work = Place("work", "The folder in which a program runs: what it reads as links, what it writes itself.")
    checkpoints_file = Place("checkpoints.jsonl", "The checkpoints that the program has named by `automl.report`.")
    measuring_log = Place("evaluate_with.log", "What the command of ``evaluate_with`` prints.")
    measuring_metrics = Place("evaluate_with.json", "The metrics file of the command of ``evaluate_with``.")

    def tensorboard_file(self, suffix: str) -> Path:
        """Return a TensorBoard file of this attempt."""
        return self.root / f"{TENSORBOARD}{suffix}"


@dataclass(frozen=True, slots=True)
class ActionPaths(_RunPaths):
    """Paths inside the directory of one action on a checkpoint, ``actions/evaluate-1``."""

    inherited_spec = Place(
        "inherited.yaml", "The action's template with the values that it inherits from the training."
    )

    @property
    def log_file(self) -> Path:
        """What the action prints: ``evaluate.log``."""
        return self.root / f"{self.root.name.rpartition('-')[0]}.log"

    @property
    def own_log(self) -> Path:
        """What the action has written under the name of the log, which it had removed: ``evaluate.own.log``."""
        return self.log_file.with_suffix(".own.log")

    def products(self) -> Iterator[Path]:
        """Yield what the action has made, without spec, log and status, in order of their paths."""
        named = {self.log_file, self.inherited_spec, self.result_file}
        for file in sorted(files_below(self.root)):
            is_spec = file.parent == self.root and file.stem == "spec"
            is_ours = file in named or is_spec or file.name in {STATUS_FILE, "experiment.yaml"}
            if file.is_file() and not is_ours and can_open(self.root, file):
                yield file


@dataclass(frozen=True, slots=True)
class StudyPaths(_Folder):
    """Paths inside a study directory."""

    plan_file = Place(_PLAN, "The request and the plan.")
    events_file = Place("events.jsonl", "The event log: one JSON line per event.")
    old_events_file = Place(
        "events-0.1.jsonl", "The event log that version 0.1 wrote, of a study that was resumed since."
    )
    reports_file = Place("reports.jsonl", "What the scheduler of version 0.1 decided: one JSON line per value.")
    journal_file = Place("journal.log", "Optuna's journal.")
    owner_file = Place("journal.log.owner", "Locked by the process that runs the study.")
    stop_file = Place("stop", "Asks for the end of the study; its text is the reason.")
    mlflow = Place("tracking/mlflow", "The folder of how far each MLflow server has the study.")
    outbox = Place("spool", "The folder in which the version before kept what MLflow was to be sent.")
    warm_server_log = Place("warm_server.log", "What the server that forks trainers has printed.")
    best = Place("best", "The folder of the best checkpoint.")
    best_spec = Place("best_spec.yaml", "The spec that made the best checkpoint.")
    best_file = Place("best.json", "The provenance of the best checkpoint.")
    evaluations_file = Place("evaluations.json", "What the starting checkpoint and the best one scored.")
    record_file = Place("record.json", "Where MLflow has the study.")
    report_file = Place("report.html", "The report.")
    trials = Place("trials", "The folder of the trials.")
    actions = Place("actions", "The folder of the actions.")

    def attempt(self, number: int, attempt: int = 1) -> AttemptPaths:
        """Return the paths of an attempt of a trial; its directory need not exist."""
        name = f"{number:04d}" if attempt == 1 else f"{number:04d}.{attempt}"
        return AttemptPaths(self.trials / name)

    def attempts(self, number: int) -> list[AttemptPaths]:
        """Return the paths of a trial's attempts that have a directory, in their order.

        The folder of the trials may hold thousands and is not listed. Attempts are numbered without gaps; where folders
        were deleted, a few more are looked for.
        """
        found: list[AttemptPaths] = []
        attempt, missing = 1, 0
        while missing < _MOST_MISSING:
            paths = self.attempt(number, attempt)
            if paths.root.is_dir():
                found.append(paths)
            missing = 0 if paths.root.is_dir() else missing + 1
            attempt += 1
        return found

    def result_file(self, number: int) -> Path:
        """Return the file of a trial's result: one for all its attempts."""
        return self.attempt(number).result_file

    def result_files(self) -> list[Path]:
        """Return the results of trials that exist, in order of their paths."""
        return sorted(self.trials.glob(f"[0-9]*/{_RESULT}"))

    def action(self, key: str) -> ActionPaths:
        """Return the paths of an action, by its key ``evaluate-1``; its directory need not exist."""
        return ActionPaths(self.actions / key)

    def not_ours(self) -> list[str]:
        """Return what lies in the directory and automl did not write, relative to it, in order.

        What lies in one of its folders counts as written: trainers and actions write there what they like.
        """
        places = {*_places(), TRASH}
        above = {str(parent) for name in places for parent in Path(name).parents}
        folders = [self.root / name for name in sorted(above) if (self.root / name).is_dir()]
        entries = sorted(self.relative(entry) for folder in folders for entry in folder.iterdir())
        return [entry for entry in entries if entry not in places | above and not _is_beside(entry, places)]

    def links(self) -> Iterator[Path]:
        """Yield what is a link of all that belongs to the study, and of the folders that it lies in."""
        below = {str(path) for name in _places() for path in (Path(name), *Path(name).parents[:-1])}
        yield from (self.root / name for name in sorted(below) if (self.root / name).is_symlink())

    def maker_of(self, file: Path) -> Path:
        """Return the folder of the attempt or action that a file belongs to; the directory for any other file in it."""
        parts = Path(self.relative(file)).parts
        return self.root.joinpath(*parts[:2]) if parts[0] in {"trials", "actions"} else self.root

    def relative(self, path: Path) -> str:
        """Return a path relative to the directory; as it is where it lies outside."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def _places() -> Iterator[str]:
    """Yield what belongs to a study, relative to its directory."""
    return (place.name for place in vars(StudyPaths).values() if isinstance(place, Place))


def _is_beside(entry: str, places: Collection[str]) -> bool:
    """Tell whether an entry is the temporary file or the lock of a place."""
    folder, name = Path(entry).parent, Path(entry).name
    return any(
        name.startswith((f".{place.name}.", f"{place.name}.lock"))
        for place in map(Path, places)
        if place.parent == folder
    )


def find_studies(results: Path) -> list[StudyPaths]:
    """Return the studies of a results folder, in order of their names; none where there is no such folder."""
    return [StudyPaths(file.parent) for file in sorted(results.glob(f"*/{_PLAN}")) if file.is_file()]
