"""`automl check`: everything that is wrong with a skill, a study or a spec, before anything is spent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import build_request, results_root, study_options
from automl.errors import ConfigurationError, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from automl.errors import Problem


@click.command(
    "check",
    help="List everything that is wrong with a study, a skill and its specs; exits with 0 if nothing is, else 2.",
)
@study_options
def command(*, as_json: bool, **options: Any) -> int:  # noqa: ANN401 - click hands over what was declared
    """Check, list every problem and warning, start nothing."""
    problems, warnings = find_problems(options)
    if as_json:
        rows = {"problems": _rows(problems), "warnings": _rows(warnings)}
        click.echo(json.dumps(rows, indent=2))
        return ConfigurationError.exit_status if problems else 0
    for kind, found in (("warning", warnings), ("error", problems)):
        for problem in found:
            click.echo(f"{kind}  {problem.where}")
            click.echo(f"  found     {problem.found}\n  expected  {problem.expected}\n  fix       {problem.fix}")
    click.echo(f"{counted(len(problems), 'problem')}, {counted(len(warnings), 'warning')}")
    return ConfigurationError.exit_status if problems else 0


def find_problems(options: dict[str, Any]) -> tuple[list[Problem], list[Problem]]:
    """Return every problem and every warning of a study, its skill and its spec."""
    from automl.request.location import RunLocation  # noqa: PLC0415 - imported when the command is called
    from automl.resolve import check_skill_and_spec  # noqa: PLC0415 - imported when the command is called
    from automl.run import make_plan  # noqa: PLC0415 - imported when the command is called

    try:
        request = build_request(options)
    except ConfigurationError as error:
        return list(error.problems), []
    problems, warnings = check_skill_and_spec(request)
    try:
        make_plan(request, RunLocation(results=results_root(options["results"]), ray_address=options["ray_address"]))
    except ConfigurationError as error:
        problems += [problem for problem in error.problems if problem not in problems]
    return problems, warnings


def _rows(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"where": p.where, "found": p.found, "expected": p.expected, "fix": p.fix} for p in problems]
