"""Where earlier studies are found: in the results folder, in the places of ``--studies``, and in the tracking store.

A study that is in several of them counts once. One that says nothing about the study that begins is named with the
reason, where it is of the same skill or its place was named. A store that does not answer is named too.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError, Problem
from automl.storage.history_file import is_history, read_histories
from automl.storage.paths import StudyPaths, find_studies
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import study_of_plan, why_unreadable
from automl.storage.study_history import history_of, read_history
from automl.study.causes import OriginKind
from automl.tracking.mlflow.earlier_runs import RecordedStudies
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.uri import default_tracking_uri
from automl.transfer import MOST_STUDIES, is_of_skill, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from automl.request.location import RunLocation
    from automl.storage.plan_document import StoredPlan
    from automl.study.earlier import StudyHistory
    from automl.study.model import StudyPlan
    from automl.study.trial import EarlierPoint

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Source:
    """A study in one place.

    Attributes:
        history: What is known of it without reading its trials.
        load: Returns it with its trials.
        kind: Of the origin of its points.
        is_named: The user has named its place.
        root: Its directory, where it has one.
        plan: Its plan, where it has a directory.
        study_id: Its own id, where it has been recorded.
    """

    history: StudyHistory
    load: Callable[[], StudyHistory]
    kind: OriginKind = OriginKind.EARLIER_STUDY
    is_named: bool = False
    root: Path | None = None
    plan: StoredPlan | None = None
    study_id: str = ""

    @property
    def place(self) -> str:
        """Where it lies, in a word or two."""
        if self.root is not None:
            return self.root.parent.name
        return "the tracking store" if self.kind is OriginKind.TRACKED_STUDY else "a file"

    def called(self, name: str) -> Source:
        """Return it under a name."""
        return replace(self, history=replace(self.history, name=name))


@dataclass(slots=True)
class EarlierStudies:
    """The comparable studies of a plan, the most alike first, and what became of the others.

    Attributes:
        found: Each study once, with its trials.
        refused: Name of a study of the skill, or of a named place -> why it is not used.
        notes: Which stores did not answer, as sentences.
        original: The plan of the study of the results folder that this one repeats; None for none.
        began_with: The points and the studies with which the study of the tracking store began that this one repeats,
            by their own ids (by their names where they have none) the names that it gave them; None for none.
    """

    found: list[Source] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    original: StoredPlan | None = None
    began_with: tuple[tuple[EarlierPoint, ...], Mapping[str, str]] | None = None

    @property
    def histories(self) -> tuple[StudyHistory, ...]:
        """The comparable studies."""
        return tuple(source.history for source in self.found)

    @property
    def ids(self) -> set[str]:
        """The own ids of the comparable studies, of those that have one."""
        return {source.study_id for source in self.found} - {""}

    def sentences(self, further: Mapping[str, str]) -> tuple[str, ...]:
        """Return what a plan says about the studies that are not used, some of which are refused for ``further``."""
        refused_for = {**self.refused, **further}
        shown = [f"{name} ({reason})" for name, reason in list(refused_for.items())[:_SHOWN]]
        more = [f"{len(refused_for) - _SHOWN} more"] if len(refused_for) > _SHOWN else []
        refused = [f"earlier studies that are not used: {', '.join([*shown, *more])}"] if shown else []
        return (*refused, *self.notes)


def find_earlier_studies(
    plan: StudyPlan, place: RunLocation, named: Sequence[str], data: Mapping[str, str]
) -> EarlierStudies:
    """Return the earlier studies of a plan: those on the same data first, then those whose skill files are the same.

    Args:
        plan: The study that begins.
        data: Split -> path of its data.
        place: Its results folder and its tracking store.
        named: Further places: results folders, study directories, files of histories, folders of such files.

    Raises:
        ConfigurationError: a named place cannot be read; with every problem.
    """
    studies = EarlierStudies()
    sources = [*_of_folder(place.results), *_of_places(named, studies.refused)]
    repeated = [source for source in sources if _is_repeated(source, plan, named)]
    if repeated:
        studies.original = min(repeated, key=lambda source: source.history.name).plan
        return studies
    with contextlib.ExitStack() as stack:
        sources += _of_store(plan, place, studies, stack)
        names = None if studies.began_with is None else studies.began_with[1]
        for source in sorted(sources, key=lambda s: (s.study_id not in (names or ()), *_distance(s, plan, data))):
            _take(source, plan, studies)
    if names is not None:
        keys = [s.study_id if s.study_id in names else s.history.name for s in studies.found]
        studies.found = [s.called(names[key]) for s, key in zip(studies.found, keys, strict=True) if key in names]
    return studies


def _take(source: Source, plan: StudyPlan, studies: EarlierStudies) -> None:
    """Add a study to those that are found or refused, unless another source has it."""
    history = source.history
    if not is_of_skill(history, plan) and not source.is_named:
        return
    if len(studies.found) >= MOST_STUDIES or source.study_id in studies.ids:
        return
    reason = why_not(history, plan)
    if not reason:
        try:
            history = source.load()
        except (ConfigurationError, OSError) as error:
            reason = f"it cannot be read: {why_unreadable(source.root or Path(history.name), error)}"
        except LaunchError as error:
            studies.notes += [error.headline] if error.headline not in studies.notes else []
            return
        reason = reason or why_not(history, plan)
    if reason:
        studies.refused.setdefault(history.name, reason)
    elif not any(history.is_same(other) for other in studies.histories):
        names = {other.name for other in studies.histories}
        name = history.name if history.name not in names else f"{history.name} in {source.place}"
        numbered = (f"{name} ({number})" for number in itertools.count(2))
        name = name if name not in names else next(n for n in numbered if n not in names)
        studies.found.append(replace(source, history=history).called(name))


def _of_folder(results: Path, refused: dict[str, str] | None = None) -> Iterator[Source]:
    """Yield the studies of a results folder, which need not exist.

    Those that cannot be read are named in ``refused`` where the user has named the folder; else they may be those that
    are being written, or of another program.
    """
    for paths in find_studies(results):
        try:
            yield _of_directory(paths, is_named=refused is not None)
        except (ConfigurationError, OSError) as error:
            if refused is not None:
                refused[paths.root.name] = f"it cannot be read: {why_unreadable(paths.root, error)}"


def _of_directory(paths: StudyPaths, *, is_named: bool) -> Source:
    stored, root = read_plan(paths), paths.root
    history = history_of(stored, study_of_plan(stored), root.name, paths.plan_file.stat().st_mtime)
    study_id = None
    with contextlib.suppress(ConfigurationError):  # a torn id says nothing about the values
        study_id = MlflowFolder(paths).known_id()
    load = functools.partial(read_history, root)
    return Source(history, load, is_named=is_named, root=root, plan=stored, study_id=study_id or "")


def _of_places(named: Sequence[str], refused: dict[str, str]) -> list[Source]:
    """Return the studies of the places that the user has named; those in ``refused`` cannot be read.

    Raises:
        ConfigurationError: a place is not there, or has nothing that can be read; with every problem.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    for name in named:
        path = Path(name)
        try:
            found = list(_of_place(path, refused))
        except (ConfigurationError, OSError) as error:
            problems.append(_problem(name, why_unreadable(path, error)))
            continue
        if not found:
            problems.append(_problem(name, "no study and no history that can be read"))
        sources += found
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")
    return sources


def _of_place(path: Path, refused: dict[str, str]) -> Iterator[Source]:
    if StudyPaths(path).plan_file.is_file():
        yield _of_directory(StudyPaths(path), is_named=True)
    elif path.is_dir():
        yield from _of_folder(path, refused)
        for file in sorted(path.glob("*.json")):
            yield from _of_file(file) if is_history(file) else ()
    else:
        yield from _of_file(path)


def _of_file(file: Path) -> Iterator[Source]:
    for history in read_histories(file):
        yield Source(history, lambda history=history: history, is_named=True)  # type: ignore[misc] # bound now


def _of_store(
    plan: StudyPlan, place: RunLocation, studies: EarlierStudies, stack: contextlib.ExitStack
) -> list[Source]:
    """Return the studies of the tracking store; without an answer none, and a note."""
    uri = place.tracking_uri or default_tracking_uri(place.results)
    try:
        store = stack.enter_context(RecordedStudies(plan, uri))
    except LaunchError as error:
        studies.notes.append(error.headline)
        return []
    studies.began_with = store.began_with()
    return [
        Source(
            history,
            lambda history=history: store.with_trials(history),  # type: ignore[misc] # bound now
            OriginKind.TRACKED_STUDY,
            study_id=study_id,
        )
        for history, study_id in zip(store.histories(), store.study_ids(), strict=True)
    ]


def _is_repeated(source: Source, plan: StudyPlan, named: Sequence[str]) -> bool:
    if source.plan is None or source.is_named:
        return False
    request = source.plan.request
    is_same_start = request.get("warm_start") is None and list(request.get("studies") or ()) == list(named)
    return source.plan.fingerprint == plan.fingerprint and is_same_start


def _distance(source: Source, plan: StudyPlan, data: Mapping[str, str]) -> tuple[object, ...]:
    history = source.history
    return (
        source.plan is None or source.plan.request.get("data") != dict(data),
        dict(history.skill_files) != dict(plan.skill.fingerprints),
        history.max_epochs != plan.max_epochs,
        -history.started_s,
        history.name,
        source.study_id,
    )


def _problem(name: str, found: str) -> Problem:
    return Problem(
        where=f"--studies {name}",
        found=found,
        expected="a results folder, a study directory, or a file that `automl export-history` wrote",
        fix="correct the path, or leave it out",
    )
