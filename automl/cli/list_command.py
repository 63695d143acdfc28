"""`automl list`: the skills of a folder, and whether each can be searched."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("list", help="List the built-in skills, or the skills of a folder: runnable, blocked (why), disabled.")
@click.argument("root", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(root: Path | None, *, as_json: bool) -> None:
    """Show the catalog."""
    from automl.resources import builtin_skills  # noqa: PLC0415 - opened when called
    from automl.skill.catalog import describe, list_skills  # noqa: PLC0415 - opened when called
    from automl.skill.load import load_skill  # noqa: PLC0415 - opened when called

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
