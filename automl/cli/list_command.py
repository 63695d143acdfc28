"""`automl list`: the skills of a folder, and whether each can be searched."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from automl.cli.options import results_root, unreadable_results


@click.command(
    "list",
    help="List the built-in skills, or the skills of a folder: runnable, blocked (why), disabled; or the studies of a "
    "results folder.",
)
@click.argument("root", required=False, type=click.Path(path_type=Path))
@click.option("--studies", is_flag=True, help="List the studies of a results folder [results/, AUTOML_RESULTS].")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(root: Path | None, *, studies: bool, as_json: bool) -> None:
    """Show the catalog."""
    if studies:
        _list_studies(results_root(root), as_json=as_json)
        return
    from automl.resources import builtin_skills  # noqa: PLC0415 - imported when called
    from automl.skill.catalog import describe, list_skills  # noqa: PLC0415 - imported when called
    from automl.skill.load import load_skill  # noqa: PLC0415 - imported when called

    entries = list_skills(root) if root is not None else tuple(describe(load_skill(name)) for name in builtin_skills())
    rows = [
        {
            "name": entry.name,
            "network_arch": entry.network_arch,
            "status": entry.status.value,
            "reason": entry.reason,
            "path": str(entry.path),
        }
        for entry in entries
    ]
    if as_json:
        click.echo(json.dumps({"skills": rows}, indent=2))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['status']:<10}  {row['name']:<{width}}  {row['reason'] or row['path']}".rstrip())
    if not rows:
        click.echo(f"no model skill under {root}")


def _list_studies(results: Path, *, as_json: bool) -> None:
    from automl.storage.overview import list_studies  # noqa: PLC0415 - imported when called

    try:
        found = list_studies(results)
    except OSError as error:
        raise unreadable_results(results, error) from error
    if as_json:
        rows = [{**dataclasses.asdict(row), "path": str(row.path)} for row in found]
        click.echo(json.dumps({"studies": rows}, indent=2))
        return
    width = max((len(row.name) for row in found), default=0)
    for row in found:
        states = ", ".join(f"{count} {state}" for state, count in row.states.items())
        best = "" if row.best is None else f"best {row.metric} {row.best:.4f}"
        counts = f"{row.trials:>4}/{row.planned:<4}  {best:<24}  {states}"
        click.echo("; ".join(filter(None, (f"{row.state:<11}  {row.name:<{width}}  {counts}".rstrip(), row.reason))))
    if not found:
        click.echo(f"no study under {results}")
