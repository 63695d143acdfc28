"""`automl doctor`: everything that can be checked before a run."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import build_request, results_root, study_options
from automl.errors import ConfigurationError, counted
from automl.request.location import RunLocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.preflight.findings import Finding


@click.command(
    "doctor", help="Check a machine or cluster, the data and the weights for a run; 0 if it can start, else 2."
)
@study_options
def command(*, as_json: bool, **options: Any) -> int:  # noqa: ANN401 - click hands over what was declared
    """Check, show one table, start nothing."""
    started_s = time.monotonic()
    findings = diagnose(options)
    seconds = round(time.monotonic() - started_s, 2)
    failed = sum(finding.level == "fail" for finding in findings)
    if as_json:
        rows = [finding.document() for finding in findings]
        click.echo(json.dumps({"ok": not failed, "rows": rows, "seconds": seconds}, indent=2))
    else:
        _print(findings, failed, seconds)
    return ConfigurationError.exit_status if failed else 0


def diagnose(options: dict[str, Any]) -> Sequence[Finding]:
    """Return every row for the options of a run; a request that cannot be planned becomes rows too."""
    from automl.preflight.doctor import examine  # noqa: PLC0415 - imported when the command is called
    from automl.preflight.findings import from_problem  # noqa: PLC0415 - imported when the command is called
    from automl.preflight.inputs import with_prepared_paths  # noqa: PLC0415 - imported when the command is called
    from automl.run import make_plan  # noqa: PLC0415 - imported when the command is called

    place = RunLocation(
        results=results_root(options["results"]),
        tracking_uri=options["tracking_uri"],
        ray_address=options["ray_address"],
    )
    try:
        request = with_prepared_paths(build_request(options), place.results)
    except ConfigurationError as error:
        return [from_problem(problem) for problem in error.problems]
    try:
        plan = make_plan(request, place)
    except ConfigurationError as error:
        planned = [from_problem(problem) for problem in error.problems]
        return [*planned, *examine(request, None, place)]
    return examine(request, plan, place)


def _print(findings: Sequence[Finding], failed: int, seconds: float) -> None:
    from automl.cli import render  # noqa: PLC0415 - rich, only when something is shown

    console = render.console()
    console.print(render.findings_table(findings, console.width))
    doubtful = sum(finding.level == "warn" for finding in findings)
    counts = f"{counted(len(findings), 'check')}, {counted(doubtful, 'warning')}, {counted(failed, 'failure')}"
    conclusion = "the run cannot succeed" if failed else "the run can start"
    console.print(f"\n{counts} in {seconds:.1f} s: {conclusion}")
