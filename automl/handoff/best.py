"""The best checkpoint of a study: of the best epoch of the best trial, verified, and kept where no pruning deletes it.

```
<study>/best/<checkpoint>   the same file as in the trial, under a second name (a hard link where the disk allows)
<study>/best_spec.yaml      the merged spec with the best trial's values: trains it again with --policy off
<study>/best.json           metric, direction, value, epoch, checkpoint, SHA-256, assignment
```
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem, StudyFailedError
from automl.skill.load import recorded_architecture
from automl.skill.model import ConfigFormat
from automl.space.values import Scalar
from automl.spec.model import Spec
from automl.spec.write import write_spec
from automl.storage.documents import read_document, write_document
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import StoredPlan
from automl.storage.study_directory import read_study
from automl.study.evaluation import Evaluation
from automl.study.model import Direction
from automl.tracking.mlflow.model_version import ModelVersionRequest
from automl.trial.checkpoints import sha256_of

if TYPE_CHECKING:
    from automl.study.trial import TrialResult


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
        checkpoint: Where it is kept, relative to the study directory.
        sha256: Of the checkpoint.
        source: Where the trial left it, relative to the study directory.
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


def select_best(root: Path) -> StudyBest:
    """Verify, keep and describe the best checkpoint of a study. Doing it twice changes nothing.

    Args:
        root: The study directory.

    Raises:
        ConfigurationError: the folder is no study directory.
        StudyFailedError: no trial has a usable value, the best one left no checkpoint, or its file has changed since.
    """
    plan, result = read_study(root)
    trial = result.best
    if trial is None:
        raise StudyFailedError("no trial of the study has a usable value, so there is no best checkpoint")
    source, digest = _verified(root, trial)
    kept = _keep(root, source, digest)
    best = StudyBest(
        trial=trial.number,
        epoch=trial.best_epoch,
        metric_name=result.objective.metric,
        direction=result.objective.direction,
        value=trial.values[result.objective.metric],
        values=trial.values,
        assignment=trial.assignment,
        checkpoint=str(kept.relative_to(root)),
        sha256=digest,
        source=str(trial.checkpoint),
    )
    spec = Spec(values=plan.spec).with_values({**trial.assignment, **trial.changes}, origin=f"trial {trial.number}")
    write_spec(spec, ConfigFormat.YAML, StudyPaths(root).best_spec)
    write_document(StudyPaths(root).best_file, best)
    return best


def read_best(root: Path) -> StudyBest:
    """Read what `select_best` found, and check that the kept file is still the same.

    Raises:
        ConfigurationError: there is none yet, or it is gone or has changed.
    """
    file = StudyPaths(root).best_file
    try:
        best = read_document(file, StudyBest)
    except FileNotFoundError as error:
        problem = Problem(
            where=str(file),
            found="no such file",
            expected="the provenance of the best checkpoint, which the end of a study writes",
            fix="let the study finish, or resume it",
        )
        raise ConfigurationError.from_problems([problem], subject="the study directory") from error
    kept = root / best.checkpoint
    if not kept.exists() or sha256_of(kept) != best.sha256:
        problem = Problem(
            where=str(kept),
            found="other content" if kept.exists() else "no such file",
            expected=f"SHA-256 {best.sha256}",
            fix=f"restore it, or delete {file} and the best is selected again from {best.source}",
        )
        raise ConfigurationError.from_problems([problem], subject="the best checkpoint")
    return best


def model_version(best: StudyBest, plan: StoredPlan, evaluations: Mapping[str, Evaluation]) -> ModelVersionRequest:
    """Return what is registered for the best checkpoint.

    Args:
        best: The best checkpoint.
        plan: The study's `plan.json`.
        evaluations: `evaluations.json`: role -> evaluation; their values become tags.
    """
    facts = {
        "automl.trial": best.trial,
        "automl.epoch": best.epoch,
        "automl.metric": best.metric_name,
        "automl.direction": best.direction,
        "automl.value": best.value,
        "automl.sha256": best.sha256,
        "automl.fingerprint": plan.fingerprint,
        "automl.skill": plan.skill.name,
    }
    tags = {name: str(value) for name, value in facts.items()}
    tags |= {f"automl.parameter.{path}": str(value) for path, value in best.assignment.items()}
    suffix, paths = Path(best.checkpoint).suffix, StudyPaths(Path())
    files = {"spec.yaml": str(paths.best_spec), "best.json": str(paths.best_file)}
    values = {role: found.value for role, found in evaluations.items() if found.value is not None}
    return ModelVersionRequest(
        name=plan.name,
        files={f"checkpoint{suffix}": best.checkpoint, **files},
        tags=tags,
        loader=recorded_architecture(plan.skill.network_arch, plan.skill.root).model_loader,
        metadata={"metric": best.metric_name, "sha256": best.sha256},
        later_tags={f"automl.evaluated.{role}": str(value) for role, value in values.items()},
    )


def _verified(root: Path, best: TrialResult) -> tuple[Path, str]:
    """Return the checkpoint and its hash, compared with the one taken when the trial ended."""
    where = f"trial {best.number}, epoch {best.best_epoch}"
    if best.checkpoint is None:
        problem = Problem(
            where=where,
            found="no checkpoint",
            expected="a file of the best epoch",
            fix="let the trainer save at every validation (checkpoint_interval = validation_interval), then resume",
        )
        raise StudyFailedError("the best trial left no checkpoint of its best epoch", [problem])
    source = root / best.checkpoint
    if not source.exists() and (kept := StudyPaths(root).best / source.name).exists():
        source = kept  # pruned after an earlier hand-over
    digest = sha256_of(source) if source.exists() else None
    if digest is None or (best.sha256 is not None and digest != best.sha256):
        problem = Problem(
            where=f"{where}: {source}",
            found=f"SHA-256 {digest}" if digest else "no such file",
            expected=f"SHA-256 {best.sha256}" if best.sha256 else "the checkpoint of the best epoch",
            fix="restore the file from a copy, or run the study again; it is not handed over",
        )
        raise StudyFailedError("the best checkpoint is not what the trial left", [problem])
    return source, digest


def _keep(root: Path, source: Path, digest: str) -> Path:
    """Give the checkpoint a second name in its folder, and delete an earlier best checkpoint there."""
    folder = StudyPaths(root).best
    folder.mkdir(exist_ok=True)
    kept = folder / source.name
    if source != kept and not (kept.exists() and sha256_of(kept) == digest):
        _replace_with_link(source, kept)
    for other in folder.iterdir():
        if other != kept:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    return kept


def _replace_with_link(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.new")
    _delete(temporary)
    if source.is_dir():
        shutil.copytree(source, temporary, copy_function=_link_or_copy)
        _delete(target)
    else:
        _link_or_copy(str(source), str(temporary))
    temporary.replace(target)


def _link_or_copy(source: str, target: str) -> None:
    real = Path(source).resolve()
    try:
        os.link(real, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(real, target)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
