"""`automl compare`: the leaderboard of one or several studies."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.storage.final_status import read_settled

if TYPE_CHECKING:
    from automl.study.result import StudyResult


@click.command("compare", help="Rank the trials of one or several studies, best first.")
@click.argument("study_dirs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Show the first N trials of each study.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values on stdout.")
def command(study_dirs: tuple[Path, ...], *, top: int | None, as_json: bool, as_csv: bool) -> None:
    """Show one leaderboard per study."""
    studies = [(root.name, read_settled(root)[1]) for root in (d.expanduser().absolute() for d in study_dirs)]
    rows = [row for name, result in studies for row in _rows(name, result)[:top]]
    if as_json:
        click.echo(json.dumps({"trials": rows}, indent=2))
        return
    if as_csv:
        _write_csv(rows)
        return
    from automl.cli import render  # noqa: PLC0415 - rich, only when something is shown

    console = render.console()
    for name, result in studies:
        objectives = [f"{o.direction} {o.metric}" for o in result.objectives]
        console.print(f"{name}: {', '.join([*objectives, *map(str, result.constraints)])}", style="bold")
        console.print(render.leaderboard(result, limit=top))
        console.print()


def _rows(name: str, result: StudyResult) -> list[dict[str, Any]]:
    ranked = result.ranked()
    front = result.pareto
    ordered = [*ranked, *(trial for trial in result.trials if trial not in ranked)]
    return [
        {
            "study": name,
            "trial": trial.number,
            "state": trial.state.value,
            **{metric: trial.values.get(metric) for metric in result.wanted_metrics},
            **({"pareto": trial in front} if result.further else {}),
            **({"unmet": "; ".join(result.unmet(trial))} if result.constraints else {}),
            "best_epoch": trial.best_epoch,
            "elapsed_s": round(trial.elapsed_s, 3),
            "reason": trial.reason,
            "assignment": dict(trial.assignment),
        }
        for trial in ordered
    ]


def _write_csv(rows: list[dict[str, Any]]) -> None:
    flat = [{**row, **row["assignment"]} for row in rows]
    for row in flat:
        del row["assignment"]
    columns = list(dict.fromkeys(key for row in flat for key in row))
    writer = csv.DictWriter(sys.stdout, columns, restval="")
    writer.writeheader()
    writer.writerows(flat)
