"""`automl plan`: the straight line, stopped before anything is spent."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import click

from automl.cli.options import build_request, results_root, study_options
from automl.duration import format_duration
from automl.errors import counted
from automl.request.location import RunLocation


@click.command("plan", help="Show what `run` would do, down to the first trials, and run nothing.")
@study_options
@click.option(
    "--show-commands",
    is_flag=True,
    help="Print only a shell script that runs trial 0 as `run` would.",
)
def command(*, as_json: bool, show_commands: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
    """Show the launch review."""
    from automl.review import reproduce_trial_0, review_plan  # noqa: PLC0415 - imported when the command is called
    from automl.run import make_plan  # noqa: PLC0415 - imported when the command is called

    request = build_request(options)
    place = RunLocation(
        results=results_root(options["results"]),
        tracking_uri=options["tracking_uri"],
        ray_address=options["ray_address"],
    )
    plan = make_plan(request, place)
    if show_commands and not as_json:
        click.echo(reproduce_trial_0(plan, place).script, nl=False)
        return
    document = review_plan(request, plan, place)
    if show_commands:
        document["commands"] = reproduce_trial_0(plan, place).document()
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    _print(document)


def _print(document: dict[str, Any]) -> None:
    from automl.cli import render  # noqa: PLC0415 - rich, only when something is shown

    console = render.console()
    skill, objective, budget, resources = (document[key] for key in ("skill", "objective", "budget", "resources"))
    launch = document["launch"]
    estimate = document["estimate"]
    seconds = estimate["seconds"]
    console.print(
        render.key_values(
            [
                ("study", document["name"]),
                ("route", document["route"]),
                *(("  because", reason) for reason in document["reasons"]),
                ("skill", f"{skill['name']} ({skill['network_arch']}), {skill['root']}"),
                ("command", skill["command"].splitlines()[0][:120]),
                ("launcher", f"{launch['launcher']} ({launch['reason']})"),
                ("image", _image(launch)),
                ("machine", document["machine"]),
                ("objective", f"{objective['direction']} {objective['metric']} ({document['objective_source']})"),
                *(("and", f"{other['direction']} {other['metric']}") for other in document["objectives"][1:]),
                *(("constraint", constraint) for constraint in document["constraints"]),
                *([("replicates", f"the best {document['replicates']}")] if document["replicates"] else []),
                *([("evaluated with", document["evaluate_with"])] if document["evaluate_with"] else []),
                ("sampler", f"{document['sampler']}, seed {document['seed']}"),
                ("scheduler", document["scheduler"]),
                (
                    "budget",
                    counted(budget["trials"], "trial")
                    + (f", {format_duration(budget['time_s'])}" if budget["time_s"] else ""),
                ),
                ("resources", f"{resources['jobs']} at once, each {_share(resources)}"),
                *(("data", f"{data['split']}: {data['path']} ({data['samples']})") for data in document["data"]),
                *(
                    ("missing weights", f"{weights['parameter']}: {weights['found']}; {weights['fix']}")
                    for weights in document["missing_weights"]
                ),
                ("time", f"{format_duration(seconds) if seconds else 'unknown'} ({estimate['basis']})"),
                ("results", document["study_dir"]),
                ("fingerprint", document["fingerprint"][:16]),
            ]
        )
    )
    if document["space"]["parameters"]:
        console.print()
        console.print(render.space_table(document["space"]))
    by_reason = Counter(item["reason"] for item in document["space"]["left_out"])
    if by_reason:
        console.print(f"\nnot searched: {counted(by_reason.total(), 'parameter')}; `automl space` names each")
        for reason, count in by_reason.most_common():
            console.print(f"  {count:4d}  {reason}")
    console.print("\nfirst trials")
    for number, (assignment, origin) in enumerate(
        zip(document["first_trials"], document["first_origins"], strict=True)
    ):
        console.print(f"  {number}  {render.format_assignment(assignment) or 'the spec as it is'}  ({origin})")


def _image(launch: dict[str, Any]) -> str:
    if launch["image"] is None:
        return "none: runs in this environment"
    source, presence = launch["image_source"], launch.get("image_presence", "")
    return ", ".join(text for text in (launch["image"], f"named by {source}", presence) if text)


def _share(resources: dict[str, Any]) -> str:
    gpus = resources["gpus_per_trial"]
    threads = f"{resources['threads_per_trial']} CPU thread{'s' if resources['threads_per_trial'] > 1 else ''}"
    return f"{gpus:g} GPU, {threads}" if gpus else threads
