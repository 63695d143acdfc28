"""The summary at the end of a run: leaderboard, best trial against trial 0, paths, next commands."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from automl.cli import render
from automl.cli.options import print_json, record_rows
from automl.cli.render import format_measure
from automl.errors import ConfigurationError
from automl.handoff.best import read_best
from automl.shown_command import shown_command
from automl.storage.final_status import read_settled
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import evaluations_of
from automl.study.evaluation import ActionStatus, Evaluation
from automl.study.last_epochs import last_epochs
from automl.study.objectives import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from automl.storage.final_status import Outcome
    from automl.study.result import StudyResult

_SHOWN = 10


def print_summary(directory: Path) -> None:
    """Print the result of a study."""
    _, result, outcome = read_settled(directory)
    console = render.console()
    console.print()
    console.print(render.leaderboard(result, limit=_SHOWN))
    if len(result.trials) > _SHOWN:
        console.print(f"... and {len(result.trials) - _SHOWN} more: {shown_command('compare', directory)}")
    console.print()
    console.print(render.key_values([*_best_rows(result, directory), *_place_rows(directory, outcome)]))


def _best_rows(result: StudyResult, directory: Path) -> Iterator[tuple[str, object]]:
    best, metric, direction = result.best, result.objective.metric, result.objective.direction
    if best is None:
        return
    yield from render.best_row(result)
    value = best.values[metric]
    first = next((trial for trial in result.trials if trial.number == 0), None)
    if first is not None and first is not best:
        yield "against trial 0", _against(first.values.get(metric), value, direction)
    yield from _epoch_row(result, value)
    for r in result.replicated:
        side = "worse than in the search" if r.gap > 0 else "better than in the search"
        selected = format_measure(r.trial.values[metric])
        spread = "" if r.spread is None else f" +- {format_measure(r.spread)}"
        failed = f", {r.diverged} diverged" if r.diverged else ""
        seen = f"mean {format_measure(r.mean)}{spread} of {len(r.values)}{failed}, selected at {selected}"
        yield "with other seeds", f"trial {r.trial.number}: {seen} ({format_measure(abs(r.gap))} {side})"
    if result.further:
        yield "pareto front", ", ".join(f"trial {trial.number}" for trial in result.pareto)
    constant = best.values.get(f"{metric}_constant")
    if constant is not None:
        yield "against a constant", _against(constant, value, direction)
    yield from _evaluation_rows(evaluations_of(directory, best), value, direction)
    if best.assignment:
        yield "values", render.format_assignment(best.assignment)
    if best.checkpoint:
        yield "checkpoint", directory / best.checkpoint
    yield from _command_row(directory)


def _epoch_row(result: StudyResult, value: float) -> Iterator[tuple[str, object]]:
    """Yield by how much the best epoch of the best trial is better than its last ones."""
    if (last := last_epochs(result)) is not None:
        side = "better" if last.gap >= 0 else "worse"
        seen = f"mean of the last {last.count} epochs {format_measure(last.mean)}"
        yield "best epoch", f"{format_measure(value)}, {seen}: {format_measure(abs(last.gap))} {side} by its choice"


def _command_row(directory: Path) -> Iterator[tuple[str, object]]:
    with contextlib.suppress(ConfigurationError):
        if command := read_best(directory).command:
            yield "train it again", command


def _evaluation_rows(
    evaluations: Mapping[str, Evaluation], best: float, direction: Direction
) -> Iterator[tuple[str, object]]:
    """Yield the evaluations of checkpoints; those without a value only where they failed."""
    of_trial = evaluations["champion"].deltas.get("trial") if "champion" in evaluations else None
    if of_trial is not None and of_trial.reference != best:
        yield (
            "evaluated again",
            f"not this trial: evaluations.json is about a value of {format_measure(of_trial.reference)}",
        )
        return
    for role, found in evaluations.items():
        name = {"champion": "evaluated again", "champion_test": "on the test data"}.get(role, role.replace("_", ", "))
        value = found.value
        if value is None:
            if found.status is ActionStatus.FAILED:
                yield name, f"failed: {found.reason}"
            continue
        again = {None: "", True: ", reproduced", False: ", not what the trial reported"}[found.is_reproduced]
        yield name, f"{format_measure(value)}{again}"
        if "baseline" in found.deltas:
            where = " on the test data" if role.endswith("_test") else ""
            yield f"against the baseline{where}", _against(found.deltas["baseline"].reference, value, direction)


def _against(reference: float | None, value: float, direction: Direction) -> str:
    if reference is None:
        return "no value to compare with"
    gain = value - reference if direction is Direction.MAXIMIZE else reference - value
    change = f"{format_measure(abs(gain))} {'better' if gain >= 0 else 'worse'}"
    return f"{format_measure(reference)} -> {format_measure(value)}, {change}"


def _place_rows(directory: Path, outcome: Outcome) -> Iterator[tuple[str, object]]:
    yield "study", directory
    if outcome.end is not None and outcome.end.reason:
        yield "ended because", outcome.end.reason
    best_spec = StudyPaths(directory).best_spec
    if best_spec.exists():
        yield "spec of the best", best_spec
    yield from record_rows(directory, is_just_run=True)
    yield "compare in a browser", shown_command("ui", directory.parent)


def show_study(root: Path, *, as_json: bool) -> None:
    """Show what came out of a study that has just been run."""
    from automl.tracking.mlflow.folder import recorded_document

    if as_json:
        print_json(recorded_document(root))
    else:
        print_summary(root)
