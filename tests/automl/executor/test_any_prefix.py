"""Whatever prefix of a study's log is left, a resume decides as the uninterrupted run did."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from automl.executor.loop import StudyLoop
from automl.resolve import chosen_scheduler
from automl.samplers.registry import make_searcher
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results, read_state
from automl.study.ends import StopKind
from automl.study.events import (
    Measured,
    RangeGrown,
    StopDecided,
    TrialEnded,
    TrialPromoted,
    TrialProposed,
    TrialStarted,
)
from automl.study.model import Budget
from automl.study.trial import Measurement
from automl.trial.history import TrialHistory
from automl.trial.outcome import outcome_of, stopped
from automl.trial.result import build_result
from automl.trial.stop_request import read_stop_request
from tests.automl.executor.toy_study import toy_location, toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.events import Event
    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult
    from automl.trial.task import TrialTask

EPOCHS, TRIALS = 4, 6


def plan_of(root: Path, sampler: str, scheduler: str, **budget: float) -> StudyPlan:
    plan = toy_plan(root / "skill", trials=TRIALS, jobs=1)
    quality = Parameter(path="quality", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.3)
    space = SearchSpace(parameters=(quality,), fixed=MappingProxyType({}))
    return replace(
        plan,
        space=space,
        sampler=sampler,
        scheduler=scheduler,
        max_epochs=EPOCHS,
        options=MappingProxyType({"grace_epochs": 1, "eta": 2}),
        first_trials=(space.default_assignment(),),
        budget=Budget(trials=TRIALS, **budget),  # type: ignore[arg-type] # limits of a budget
    )


def with_derived_end(plan: StudyPlan) -> StudyPlan:
    """Return the plan with a range whose upper end was derived, and whose best values lie beyond it."""
    quality = replace(plan.space["quality"], high=0.36, derived=("high",), reach=(0.0, 1.0))
    budget = replace(plan.budget, trials=10)
    return replace(plan, space=replace(plan.space, parameters=(quality,)), budget=budget)


def train(loop: StudyLoop, task: TrialTask) -> TrialResult:
    """Train without a process: values follow from the assignment, a checkpoint is saved after every epoch."""
    history = TrialHistory(task.watch)
    history.recall(
        Measurement(epoch=epoch, values={"val/d1": value_of(task, epoch)}) for epoch in range(task.start.first_epoch)
    )
    for epoch in range(task.start.first_epoch, EPOCHS):
        values = {"val/d1": value_of(task, epoch)}
        with (task.directory / "status.json").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"epoch": epoch, "kpi": values}) + "\n")
        (task.directory / f"model_epoch_{epoch:03d}.pth").write_bytes(b"weights")
        history.observe(Measurement(epoch=epoch, values=values))
        loop.measured(task.number, Measurement(epoch=epoch, values=values))
        if (cause := read_stop_request(task.directory)) is not None:
            return build_result(task, history, stopped(cause), elapsed_s=1.0)
    return build_result(task, history, outcome_of(history, 0, ()), elapsed_s=1.0)


def value_of(task: TrialTask, epoch: int) -> float:
    quality = task.proposal.assignment["quality"]
    assert isinstance(quality, float)
    return quality * (1 - quality) + 0.01 * epoch


def finish(root: Path, plan: StudyPlan) -> None:
    (root / "study").mkdir(parents=True, exist_ok=True)
    loop = StudyLoop(
        plan, toy_location(root), searcher=make_searcher(plan), scheduler=chosen_scheduler(plan), trackers=()
    )
    loop.open()
    while not loop.is_over:
        task = loop.next_task()
        if task is not None:
            loop.ended(train(loop, task))
    loop.close()


def decisions(root: Path) -> list[tuple[object, ...]]:
    """Return what was decided, in order; what is measured again after a crash counts once."""
    found: list[tuple[object, ...]] = []
    for entry in read_log(StudyPaths(root / "study").events_file, is_strict=True):
        decision = decision_of(entry.event)
        if decision is not None and decision not in found:
            found.append(decision)
    return found


def decision_of(event: Event) -> tuple[object, ...] | None:  # noqa: PLR0911 # one for each
    match event:
        case TrialProposed():
            return ("proposed", event.trial, dict(event.assignment)["quality"], event.origin)
        case Measured():
            return ("measured", event.trial, event.epoch)
        case StopDecided() if event.cause.kind is not StopKind.STUDY:
            return ("stop", event.trial, event.cause)
        case RangeGrown():
            return ("grown", event.path, event.high)
        case TrialPromoted():
            return ("promoted", event.trial)
        case TrialEnded() if event.result.state.is_final:
            result = event.result
            return ("ended", result.number, result.state, result.cause, dict(result.values), result.curve)
        case _:
            return None


CASES: list[tuple[str, str, dict[str, float]]] = [
    ("gp", "none", {"elastic": 1}),
    ("qmc", "median", {}),
    ("random", "asha", {}),
    ("random", "none", {"patience_trials": 2}),
    ("grid", "none", {"target": 0.26}),
]


@pytest.mark.parametrize(("sampler", "scheduler", "budget"), CASES, ids=str)
def test_every_prefix_of_a_log_is_continued_as_the_run_went_on(
    tmp_path: Path, sampler: str, scheduler: str, budget: dict[str, float]
) -> None:
    is_elastic = budget.get("elastic") == 1
    limits = {name: limit for name, limit in budget.items() if name != "elastic"}
    plan = plan_of(tmp_path, sampler, scheduler, **limits)
    plan = with_derived_end(plan) if is_elastic else plan
    finish(tmp_path / "whole", plan)
    whole = decisions(tmp_path / "whole")
    lines = (tmp_path / "whole/study/events.jsonl").read_bytes().splitlines(keepends=True)
    assert len({kind for kind, *_ in whole}) >= 3
    assert ("grown" in {kind for kind, *_ in whole}) is is_elastic

    for count in range(1, len(lines), 2 if scheduler == "asha" else 6 if is_elastic else 3):
        root = tmp_path / f"cut {count}"
        shutil.copytree(tmp_path / "whole/study", root / "study", ignore=shutil.ignore_patterns("events.jsonl"))
        (root / "study/events.jsonl").write_bytes(b"".join(lines[:count]))
        forget_after(root, lines[:count])
        finish(root, plan)

        assert decisions(root) == whole, f"cut after line {count} of {len(lines)}"


def test_results_are_the_same_whether_or_not_all_starts_are_read(tmp_path: Path) -> None:
    finish(tmp_path, plan_of(tmp_path, "random", "asha"))
    lines = (tmp_path / "study/events.jsonl").read_bytes().splitlines(keepends=True)
    log = StudyPaths(tmp_path / "log")
    log.root.mkdir()

    for count in range(1, len(lines) + 1):
        log.events_file.write_bytes(b"".join(lines[:count]))

        assert read_results(log) == read_state(log).results, f"cut after line {count} of {len(lines)}"


def forget_after(root: Path, kept: list[bytes]) -> None:
    """Delete what trials wrote after the cut: attempts that were not started, epochs that were not measured."""
    started, measured = set(), set()
    paths = StudyPaths(root / "study")
    (root / "study/events.jsonl").write_bytes(b"".join(kept))
    for entry in read_log(paths.events_file):
        match entry.event:
            case Measured() as event:
                measured.add((event.trial, event.epoch))
            case TrialStarted() as event:
                started.add(paths.attempt(event.trial, event.attempt).root.name)
            case _:
                pass
    for folder in paths.trials.iterdir():
        if folder.name not in started:
            shutil.rmtree(folder)
            continue
        number = int(folder.name[:4])
        status = folder / "status.json"
        epochs = (
            [json.loads(line) for line in status.read_text(encoding="utf-8").splitlines()] if status.exists() else []
        )
        known = [document for document in epochs if (number, document["epoch"]) in measured]
        status.write_text("".join(json.dumps(document) + "\n" for document in known), encoding="utf-8")
        for checkpoint in folder.glob("model_epoch_*.pth"):
            if (number, int(checkpoint.stem[-3:])) not in measured:
                checkpoint.unlink()
