"""`automl status`: the progress of a study, read from its files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from automl.storage.final_status import read_settled
from automl.storage.study_document import study_document


@click.command("status", help="Show the progress of a study. Reads files only: works while it runs and after a crash.")
@click.argument("study_dir", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Refresh until the study ends; with --json print its events, one a line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(study_dir: Path, *, watch: bool, as_json: bool) -> None:
    """Show the trials and the best one."""
    root = study_dir.expanduser().absolute()
    if watch:
        from automl.cli import watch as live  # noqa: PLC0415 - rich, only when something is shown

        (live.stream_events if as_json else live.watch)(root)
        return
    if as_json:
        click.echo(json.dumps(study_document(root), indent=2))
        return
    plan, result, outcome = read_settled(root)
    from automl.cli import render  # noqa: PLC0415 - rich, only when something is shown

    console = render.console()
    states = Counter(trial.state.value.lower() for trial in result.trials)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none yet"
    best = result.best
    rows: list[tuple[str, object]] = [
        ("study", f"{plan.name}  {root}"),
        ("state", outcome),
        ("trials", f"{len(result.trials)} of {plan.budget.trials}: {counts}"),
    ]
    if best is not None:
        value = best.values[result.objective.metric]
        rows.append(("best", f"trial {best.number}, {result.objective.metric} {value:.4f} at epoch {best.best_epoch}"))
    console.print(render.key_values(rows))
    console.print()
    console.print(render.leaderboard(result))
