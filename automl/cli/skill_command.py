"""`automl skill`: how a coding agent uses this tool, as a skill file."""

from __future__ import annotations

import importlib.resources

import click


@click.command("skill", help="Print the SKILL.md by which a coding agent uses this tool.")
def command() -> None:
    """Print the page that is installed with the package."""
    click.echo(importlib.resources.files("automl").joinpath("skill.md").read_text(encoding="utf-8"), nl=False)
