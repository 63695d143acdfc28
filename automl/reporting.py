"""`report` and `should_stop`, for training code: standard library only, and nothing outside a study.

A report is one line of the status file in the folder of the attempt; lines are appended whole, whoever writes beside.
Of several ranks only the first one reports.
"""

from __future__ import annotations

import json
import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from automl.regular_file import open_to_append, read_regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRIAL_DIR = "AUTOML_TRIAL_DIR"
_STATUS = "status.json"
_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")


def report(
    metrics: Mapping[str, SupportsFloat] | None = None,
    /,
    *,
    epoch: SupportsIndex | None = None,
    step: SupportsIndex | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    **more: SupportsFloat,
) -> None:
    """Report metrics, and a checkpoint, to the study that runs this process; do nothing in any other process.

    Args:
        metrics: By name, for names that are no Python identifiers: ``{"val/acc": 0.9}``.
        epoch: The epoch that they belong to, counted as everywhere in this program.
        step: Optimiser steps so far.
        checkpoint: A file or folder below the working folder that holds this epoch; a name of its own for each epoch
            keeps the best one.
        more: Metrics by name: ``val_acc=0.9``.

    Raises:
        TypeError: a metric is no number, or the epoch no whole one.
        ValueError: a negative epoch; a checkpoint without an epoch, or outside the folder of the trial.
        OSError: the checkpoint is not there, or the line cannot be written.
    """
    folder = os.environ.get(_TRIAL_DIR)
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    if not folder or rank != "0":
        return
    epoch, step = _whole("epoch", epoch), _whole("step", step)
    values = {name: _number(name, value) for name, value in {**(metrics or {}), **more}.items()}
    if checkpoint is not None:
        _note_checkpoint(Path(folder), Path(checkpoint), epoch)
    line = {"epoch": epoch, "step": step, "kpi": values}
    _append(Path(folder) / _STATUS, {key: value for key, value in line.items() if value is not None})


def should_stop() -> bool:
    """Return whether the study has asked this trial to end; False outside a study."""
    folder = os.environ.get(_TRIAL_DIR)
    return bool(folder) and Path(folder or "", "stop").exists()


def is_in_study() -> bool:
    """Return whether a study runs this process."""
    return bool(os.environ.get(_TRIAL_DIR))


def reported_metrics() -> tuple[set[str], int | None]:
    """Return the metrics that this process, or one that it has started, has reported, and the last epoch of them."""
    folder = os.environ.get(_TRIAL_DIR)
    if not folder or not Path(folder, _STATUS).is_file():
        return set(), None
    names, last = set[str](), None
    for line in read_regular_file(Path(folder, _STATUS)).decode(errors="replace").splitlines():
        try:
            document = json.loads(line)
        except ValueError:  # half a line, of a process that was killed
            continue
        if isinstance(document, dict):
            names.update(document.get("kpi") or ())
            last = document.get("epoch", last)
    return names, last


def _whole(name: str, value: SupportsIndex | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"report: the {name} is {value!r}, which is no whole number")
    if (number := operator.index(value)) < 0:
        raise ValueError(f"report: the {name} is {number}, which is below 0")
    return number


def _number(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:  # PyTorch, of several values
        shown = " ".join(repr(value).split())
        raise TypeError(f"report: {name} is {shown:.80}, which is no number") from error


def numbers_of(metrics: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """Return the metrics that are numbers, and why each other one is none."""
    found, problems = dict[str, float](), list[str]()
    for name, value in metrics.items():
        try:
            found[name] = _number(name, value)
        except TypeError as error:
            problems.append(str(error))
    return found, problems


def _note_checkpoint(folder: Path, checkpoint: Path, epoch: int | None) -> None:
    if epoch is None:
        raise ValueError(f"report: the checkpoint {checkpoint} needs the epoch that it holds")
    path = checkpoint.absolute()
    real, root = path.resolve(), folder.resolve()
    if not real.is_relative_to(root):
        raise ValueError(f"report: the checkpoint {path} lies outside {root}, the folder of this trial")
    status = real.stat()
    name = real.relative_to(root).as_posix()
    line = {"path": name, "epoch": epoch, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    _append(folder / "checkpoints.jsonl", line)


def _append(file: Path, line: dict[str, object]) -> None:
    """Append a line in one system call: others that append to the file cannot come in between."""
    with open_to_append(file) as stream:
        stream.write(f"{json.dumps(line)}\n".encode())
