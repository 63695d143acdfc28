"""`automl space`: what is searched, what is not, and why."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import click

from automl.cli.options import build_request, skill_options
from automl.space.document import space_document


@click.command("space", help="Show which parameters of a study or skill are searched, which are not, and why.")
@skill_options
def command(*, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
    """Build the space and show it."""
    from automl.resolve import resolve_inputs  # noqa: PLC0415 - imported when the command is called

    opened = resolve_inputs(build_request(options))
    skill, space = opened.skill, opened.space
    document = space_document(space, skill)
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    from automl.cli import render  # noqa: PLC0415 - rich, only when something is shown

    console = render.console()
    console.print(
        f"{skill.name} ({skill.network_arch}): {len(space.parameters)} searched, {len(space.left_out)} left out"
    )
    console.print()
    console.print(render.space_table(document))
    by_reason = defaultdict(list)
    for item in space.left_out:
        by_reason[item.reason].append(item.path)
    for reason, paths in sorted(by_reason.items(), key=lambda entry: -len(entry[1])):
        console.print(f"\nleft out: {reason}", style="bold")
        for path in sorted(paths):
            console.print(f"  {path}")
