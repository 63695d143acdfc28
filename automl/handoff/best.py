"""The best checkpoint of a study, verified and kept where no pruning deletes it; or the one of a trial and an epoch.

```
<study>/best/<checkpoint>   the same file as in the trial, under a second name (a hard link where the disk allows)
<study>/best_spec.yaml      the merged spec with the best trial's values: trains it again with --policy off
<study>/best.json           metric, direction, value, epoch, checkpoint, SHA-256, assignment
```
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError, Problem, StudyFailedError
from automl.launch.command import CONFIG_TOKEN, fill_command
from automl.regular_file import followed
from automl.request.study_request import overrides_of
from automl.shown_command import shown_command
from automl.skill.model import ConfigFormat
from automl.space.values import Scalar
from automl.spec.build import expand_shorthands
from automl.spec.complete import ActionRun
from automl.spec.model import Spec
from automl.spec.overrides import flatten
from automl.spec.write import write_spec
from automl.storage.deletion import delete, is_deletable, real_path
from automl.storage.held_study import require_held
from automl.storage.own_documents import read_own, write_own
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_results, read_state, study_of_plan
from automl.storage.trainer_files import keep_made, refusals, sha256_of
from automl.study.objectives import Direction
from automl.trial.checkpoints import checkpoint_of_epoch
from automl.trial.working_folder import places_of

if TYPE_CHECKING:
    from automl.architectures.model import CheckpointNaming
    from automl.storage.plan_document import StoredPlan
    from automl.study.replicates import Replicated
    from automl.study.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAgain:
    """The objective of the replicates of the best trial.

    Attributes:
        values: Of each that has one, in order of their numbers.
        mean: Their mean.
        spread: Their standard deviation; None for a single one.
    """

    values: tuple[float, ...]
    mean: float
    spread: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyBest:
    """The best checkpoint of a study.

    Attributes:
        trial: Number of the trial.
        epoch: Zero-based epoch.
        metric_name: The primary objective.
        direction: Whether more or less of it is better.
        value: Its value at that epoch.
        values: Every metric at that epoch.
        assignment: Parameter path -> value.
        checkpoint: Where it is kept, relative to the study directory; empty where the trial left none.
        sha256: Of the checkpoint; empty without one.
        source: Where the trial left it, relative to the study directory; empty without one.
        command: The command line that trains with the values of the trial.
        replicates: What it reached with other seeds, which no search has chosen; None where it was not trained again.
        spec_sha256: Of `best_spec.yaml`; empty in files of earlier versions.
    """

    trial: int
    epoch: int | None
    metric_name: str
    direction: Direction
    value: float
    values: Mapping[str, float]
    assignment: Mapping[str, Scalar]
    checkpoint: str
    sha256: str
    source: str
    spec_sha256: str = ""
    command: str = ""
    replicates: SeenAgain | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCheckpoint:
    """A checkpoint and where it comes from.

    Attributes:
        path: File or folder.
        trial: Number of the trial; None for a file from outside the study.
        epoch: Zero-based epoch; None where the trainer does not number them.
        assignment: The trial's values.
    """

    path: Path
    trial: int | None = None
    epoch: int | None = None
    assignment: Mapping[str, Scalar] = field(default_factory=dict)


def select_best(root: Path) -> StudyBest:
    """Verify, keep and describe the best checkpoint of a study. Doing it twice changes nothing.

    Raises:
        ConfigurationError: the folder is no study directory, or a file of it cannot be read.
        StudyFailedError: no trial has a usable value, or the best one's checkpoint has changed since.
    """
    require_held(root)
    plan, state = read_plan(StudyPaths(root)), read_state(StudyPaths(root))
    result = replace(study_of_plan(plan), trials=state.results)
    trial, before = result.best, _kept_before(root)
    if trial is None:
        raise StudyFailedError("no trial of the study has a usable value, so there is no best checkpoint")
    kept, digest = None, ""
    if trial.checkpoint is not None:
        source, digest = _verified(root, trial, trial.checkpoint)
        kept = _keep(root, source, digest, state.started.links if state.started is not None else {})
    spec = Spec(values=plan.spec).with_values({**trial.assignment, **trial.changes}, origin=f"trial {trial.number}")
    best = StudyBest(
        trial=trial.number,
        epoch=trial.best_epoch,
        metric_name=result.objective.metric,
        direction=result.objective.direction,
        value=trial.values[result.objective.metric],
        values=trial.values,
        assignment=trial.assignment,
        checkpoint="" if kept is None else str(kept.relative_to(root)),
        sha256=digest,
        source=trial.checkpoint or "",
        command=_command(plan, root, {**trial.assignment, **trial.changes}),
        replicates=next((_seen_again(r) for r in result.replicated if r.trial is trial), None),
        spec_sha256=write_spec(spec, ConfigFormat.YAML, StudyPaths(root).best_spec),
    )
    write_own(StudyPaths(root), StudyPaths(root).best_file, best)
    for path in before:
        if path not in {kept, root} and path.parent == StudyPaths(root).best:
            delete(path, inside=followed(root), recorded=[str(real_path(path))])
    return best


def _seen_again(found: Replicated) -> SeenAgain:
    return SeenAgain(values=found.values, mean=found.mean, spread=found.spread)


def read_best(root: Path) -> StudyBest:
    """Read what `select_best` found, and check that the kept file is still the same.

    Raises:
        ConfigurationError: there is none yet, or it is gone or has changed.
    """
    file = StudyPaths(root).best_file
    try:
        best = read_own(StudyPaths(root), file, StudyBest)
    except FileNotFoundError as error:
        expected = "the provenance of the best checkpoint, which the end of a study writes"
        fix = "let the study finish, or resume it"
        raise _unusable(str(file), "no such file", expected, fix, subject="the study directory") from error
    kept = root / best.checkpoint
    if not best.checkpoint:
        return best
    if not kept.exists() or sha256_of(kept) != best.sha256:
        found = "other content" if kept.exists() else "no such file"
        fix = f"restore it, or delete {file} and the best is selected again from {best.source}"
        raise _unusable(str(kept), found, f"SHA-256 {best.sha256}", fix, subject="the best checkpoint")
    return best


def require_best_spec(study: StudyPaths) -> None:
    """Check that `best_spec.yaml` is what `select_best` wrote; not where nothing says what that was.

    Raises:
        ConfigurationError: it is gone or was changed, or `best.json` cannot be read.
    """
    try:
        best = read_own(study, study.best_file, StudyBest)
    except FileNotFoundError:
        return
    if best.spec_sha256 and (found := sha256_of(study.best_spec)) != best.spec_sha256:
        raise _unusable(
            str(study.best_spec),
            f"SHA-256 {found}" if found else "no file that can be read",
            f"SHA-256 {best.spec_sha256}, as the hand-over wrote it",
            f"to run a spec of your own, give it another name; otherwise delete {study.best_file}, then:"
            f" {shown_command('resume', study.root)}",
            subject="the spec of the best",
        )


def choose_checkpoint(
    root: Path, naming: CheckpointNaming, *, trial: int | None, epoch: int | None
) -> ChosenCheckpoint:
    """Find the checkpoint of a trial and a zero-based epoch; without them, of the best trial and of its best epoch.

    Raises:
        ConfigurationError: there is no such trial, or it has no such checkpoint (any more).
    """
    paths = StudyPaths(root)
    if trial is None and epoch is None:
        try:
            best = read_best(root) if paths.best_file.is_file() else select_best(root)
        except StudyFailedError as error:
            expected = "a study with a best checkpoint"
            raise _unusable(str(root), error.headline, expected, "run the study again") from error
        if not best.checkpoint:
            fix = "let the trainer save at every validation, then run the study again"
            raise _unusable(f"trial {best.trial}, epoch {best.epoch}", "no checkpoint", "a file of that epoch", fix)
        path = root / best.checkpoint
        return ChosenCheckpoint(path=path, trial=best.trial, epoch=best.epoch, assignment=best.assignment)
    results = {result.number: result for result in read_results(paths)}
    number = trial if trial is not None else read_best(root).trial
    if number not in results:
        listed = ", ".join(map(str, sorted(results))) or "no trial"
        raise _unusable(f"--trial {number}", "no such trial", listed, "choose one of these trials")
    result = results[number]
    wanted = result.best_epoch if epoch is None else epoch
    found = root / result.checkpoint if epoch is None and result.checkpoint is not None else None
    if (found is None or not found.exists()) and wanted is not None:
        found = checkpoint_of_epoch(root / result.directory, naming, wanted)
    if found is None or not found.exists():
        where = f"{root / result.directory}, epoch {wanted}"
        raise _unusable(where, "no checkpoint", "a file of that epoch", "choose another epoch; pruned files are gone")
    return ChosenCheckpoint(path=found, trial=number, epoch=wanted, assignment=result.assignment)


def _unusable(
    where: str, found: str, expected: str, fix: str, *, subject: str = "the choice of a checkpoint"
) -> ConfigurationError:
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject=subject)


def _command(plan: StoredPlan, root: Path, values: Mapping[str, Scalar]) -> str:
    """Return the command line that trains with values of a trial; empty where the skill cannot be read any more."""
    with contextlib.suppress(ConfigurationError, LaunchError):
        skill, spec = plan.load_skill(), Spec(values=plan.spec)
        action = skill.actions["train"]
        # The spec has them typed by their keys.
        asked = expand_shorthands(skill, spec, flatten(overrides_of(plan.request)))
        own = {path: spec.get(path) for path in asked if spec.has(path)}
        spec = spec.with_values(own, origin="override").with_values(dict(values), origin="trial")
        places = places_of(action.program, spec, ActionRun(results_dir=root / "again", assignment=values))
        return shlex.join(fill_command(action.command, {CONFIG_TOKEN: str(StudyPaths(root).best_spec), **places}))
    return ""


def _verified(root: Path, best: TrialResult, checkpoint: str) -> tuple[Path, str]:
    """Return the checkpoint and its hash, compared with the one taken when the trial ended."""
    where = f"trial {best.number}, epoch {best.best_epoch}"
    source = root / checkpoint
    if not source.exists() and (kept := StudyPaths(root).best / source.name).exists():
        source = kept  # pruned after an earlier hand-over
    digest = sha256_of(source) if source.exists() else None
    if digest is None or (best.sha256 is not None and digest != best.sha256):
        problem = Problem(
            where=f"{where}: {source}",
            found=f"SHA-256 {digest}" if digest else _why_unread(source),
            expected=f"SHA-256 {best.sha256}" if best.sha256 else "the checkpoint of the best epoch",
            fix="restore the file from a copy, or run the study again; it is not handed over",
        )
        raise StudyFailedError("the best checkpoint is not what the trial left", [problem])
    return source, digest


def _why_unread(source: Path) -> str:
    if not source.exists():
        return "no such file"
    return "; ".join(refusals(source)) or "a file that cannot be read"


def _keep(root: Path, source: Path, digest: str, links: Mapping[str, str]) -> Path:
    """Give the checkpoint a second name in its folder.

    Raises:
        StudyFailedError: the folder is a link out of the study that did not stand there when the study began (``links``
            are those that did), or the link leads to another file of that name.
    """
    inside, folder = followed(root), StudyPaths(root).best
    make_folder(folder, below=root)
    kept = folder / source.name
    if source == kept or (kept.exists() and sha256_of(kept) == digest):
        return kept
    temporary = kept.with_name(f".{kept.name}.new")
    recorded = {str(real_path(path)) for path in (temporary, *_kept_before(root))}
    is_behind_known_link = str(followed(folder)) in links.values()
    if not is_deletable(kept, inside=inside, recorded=recorded) and (kept.exists() or not is_behind_known_link):
        problem = Problem(
            where=str(kept),
            found=f"a link to {followed(folder)}",
            expected="a folder in the study, or a link that stood there when the study began",
            fix=f"remove the link, then: {shown_command('resume', root)}",
        )
        raise StudyFailedError("the best checkpoint cannot be kept", [problem])
    delete(temporary, inside=inside, recorded=recorded)
    keep_made(StudyPaths(root).maker_of(source), source, temporary)
    if source.is_dir():
        delete(kept, inside=inside, recorded=recorded)
    temporary.replace(kept)
    return kept


def _kept_before(root: Path) -> list[Path]:
    """Return where the best checkpoint is that `best.json` names; empty without that file.

    What lies outside of the study is it only if it has not changed: the link may lead to another study's by now.
    """
    try:
        best = read_own(StudyPaths(root), StudyPaths(root).best_file, StudyBest)
    except FileNotFoundError:
        return []
    kept = root / best.checkpoint
    is_own = real_path(kept).is_relative_to(followed(root)) or sha256_of(kept) == best.sha256
    return [kept] if best.checkpoint and is_own else []
