"""Schedulers by name."""

from __future__ import annotations

import difflib
import math
import sys
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.plugins import PluginKind, find_plugin, known_names, load_plugin
from automl.schedulers.asha import AshaScheduler, HyperbandScheduler, PausingAshaScheduler, rung_epochs
from automl.schedulers.base import Scheduler
from automl.schedulers.population import PopulationScheduler
from automl.schedulers.simple import AutoScheduler, IEpochScheduler, MedianScheduler, PatienceScheduler
from automl.study.objectives import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEDULERS = ("auto", "none", "asha", "hyperband", "median", "i_epoch", "patience", "pbt")
"""Names of the built-in schedulers, the default first: those of ``--scheduler``; plug-ins add more."""
SCHEDULER_OPTIONS: tuple[str, ...] = (
    *("grace_epochs", "warmup_epochs", "eta"),
    *("patience_epochs", "keep_trials", "interval_epochs"),
)
"""Options of a study that schedulers read; all are numbers."""

# Share of a population that is replaced by clones of as many of its best members.
_REPLACED = 0.25
# Rungs of a study whose number of epochs is unknown end here.
_MANY_EPOCHS = 100_000
_LEAST_ETA = 1.1
"""Nearer to 1 every trial continues, and there are as many rungs as epochs."""

_CANNOT_CLONE = Problem(
    where="scheduler",
    found="pbt, and a trainer that takes no checkpoint to start from",
    expected="report.resume of a program, or resume_model in spec_params of the skill's train action",
    fix="choose another scheduler, e.g. auto",
)


def make_scheduler(
    name: str,
    *,
    max_epochs: int | None,
    trials: int,
    options: Mapping[str, object] | None = None,
    direction: Direction = Direction.MAXIMIZE,
    can_pause: bool = False,
) -> Scheduler:
    """Return a scheduler.

    Args:
        name: One of `SCHEDULERS`, or of a plug-in, which is made with the epochs that every trial gets.
        max_epochs: Epochs of a full trial, where known.
        trials: Trials of the study.
        options: Study options; those of `SCHEDULER_OPTIONS` are read. ``grace_epochs``: epochs that every trial gets;
            ``warmup_epochs``: grace is never shorter; ``eta``: the inverse of the share that continues;
            ``patience_epochs``; ``keep_trials``: how many trials i_epoch continues; ``interval_epochs``: how often pbt
            compares.
        direction: Of the objective, so that reasons show its values as they were measured.
        can_pause: The trainer continues from its checkpoints, so ``asha`` may pause trials and promote them later.

    Raises:
        ConfigurationError: the scheduler is unknown or an option cannot be used; all problems at once.
    """
    chosen = dict(options or {})
    problems = [*check_scheduler(name), *_check_options(chosen, max_epochs, is_used=name != "none")]
    if name == "pbt" and not can_pause:
        problems.append(_CANNOT_CLONE)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the scheduler")
    epochs = max_epochs or 0
    eta = _number(chosen, "eta", 3.0)
    wanted = int(_number(chosen, "grace_epochs", 0)) or None
    grace = grace_epochs(max_epochs, wanted=wanted, warmup=int(_number(chosen, "warmup_epochs", 0)))
    keep = int(_number(chosen, "keep_trials", math.ceil(trials / eta**2)))
    patience = int(_number(chosen, "patience_epochs", max(5, math.ceil(epochs / 5))))
    interval = int(_number(chosen, "interval_epochs", max(1, math.ceil(epochs / 10))))
    rungs = rung_epochs(grace, eta, max_epochs or _MANY_EPOCHS)
    builders: dict[str, Callable[[], Scheduler]] = {
        "auto": lambda: AutoScheduler(patience, grace),
        "none": Scheduler,
        "asha": lambda: PausingAshaScheduler(rungs, eta) if can_pause else AshaScheduler(rungs, eta),
        "hyperband": lambda: HyperbandScheduler(rungs, eta),
        "median": lambda: MedianScheduler(grace),
        "i_epoch": lambda: IEpochScheduler(grace, keep),
        "patience": lambda: PatienceScheduler(patience, grace),
        "pbt": lambda: PopulationScheduler(
            interval=interval, share=_REPLACED, trials=trials, grace=grace, max_epochs=max_epochs
        ),
    }
    plugin = None if name in builders else find_plugin(PluginKind.SCHEDULERS, name)
    scheduler = builders[name]() if plugin is None else load_plugin(plugin, Scheduler)(grace)
    scheduler.sign = -1.0 if direction is Direction.MINIMIZE else 1.0
    return scheduler


def check_scheduler(name: str) -> tuple[Problem, ...]:
    """Return what is wrong with a scheduler's name; empty when it is known."""
    if name in SCHEDULERS or name in (names := known_names(PluginKind.SCHEDULERS, SCHEDULERS)):
        return ()
    close = difflib.get_close_matches(name, names, n=1)
    suggestion = f"did you mean {close[0]}?" if close else f"use {SCHEDULERS[0]}, the default"
    return (Problem(where="scheduler", found=name, expected=f"one of {', '.join(names)}", fix=suggestion),)


def grace_epochs(max_epochs: int | None, *, wanted: int | None, warmup: int) -> int:
    """Return how many epochs every trial gets: a tenth of a full trial, at least the warm-up, at least 1.

    Args:
        max_epochs: Epochs of a full trial, where known.
        wanted: What the user asked for; replaces the tenth, not the warm-up.
        warmup: Warm-up epochs of the learning rate: a comparison before its end compares nothing.
    """
    tenth = math.ceil((max_epochs or 1) / 10)
    return max(wanted if wanted is not None else tenth, warmup, 1)


def _check_options(options: Mapping[str, object], max_epochs: int | None, *, is_used: bool) -> list[Problem]:
    problems = []
    for name in SCHEDULER_OPTIONS:
        value = options.get(name)
        least = {"warmup_epochs": 0, "eta": _LEAST_ETA}.get(name, 1)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None or (is_number and least <= value <= sys.float_info.max):  # type: ignore[operator] # is_number
            continue
        expected, fix = f"a number of at least {least}", f"correct {name} or leave it out"
        problems.append(Problem(where=f"options.{name}", found=repr(value), expected=expected, fix=fix))
    grace = options.get("grace_epochs")
    if is_used and max_epochs is not None and isinstance(grace, int | float) and grace > max_epochs:
        expected, fix = f"at most max_epochs, which is {max_epochs}", "lower grace_epochs or raise max_epochs"
        problems.append(Problem(where="options.grace_epochs", found=str(grace), expected=expected, fix=fix))
    return problems


def _number(options: Mapping[str, object], name: str, default: float) -> float:
    value = options.get(name)
    return float(value) if isinstance(value, int | float) else default
