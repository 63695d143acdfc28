"""`automl run`, `plan`, `space`, `doctor`, `check`: commands that begin with the request for a study."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import AbsolutePath, notify_option, print_json, progress_and_notification
from automl.cli.paths import wrong_argument
from automl.cli.request_options import build_request, location, skill_options, study_options
from automl.cli.request_reading import confirm_reading
from automl.cli.summary import show_study
from automl.duration import format_duration
from automl.errors import ConfigurationError, Problem, counted
from automl.study.cost import WEIGHED, ObjectivePer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.preflight.findings import Finding
    from automl.request.location import RunLocation
    from automl.study.model import StudyPlan

# Above this estimate a person at a terminal is asked before anything is spent.
_CONFIRM_ABOVE_S = 3600

commands = click.Group()


@commands.command("run")
@study_options
@click.option("--study-dir", type=AbsolutePath(), metavar="DIR", help="The study's folder [a new one in --results].")
@click.option("--smoke", is_flag=True, help="Train one step of trial 0 first; if that fails, start no study.")
@click.option("--no-check", is_flag=True, help="Do not check the data by the trainer first (depth_net check).")
@click.option("--fingerprint", metavar="HASH", help="Start only what `plan --json` showed with this run_fingerprint.")
@notify_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation of a long study.")
def run(*, as_json: bool, fingerprint: str | None, notify: str | None, yes: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
    """Search hyperparameters on a study (the demo by default), or train once with --policy off."""
    from automl.preflight.estimate import earlier_trials, estimate_time
    from automl.run import make_plan, run_plan

    request, place = build_request(options), location(options)
    plan = make_plan(request, place)
    if fingerprint is not None:
        _require_same(fingerprint, plan, place)
    if request.request_reading and not yes:
        confirm_reading(request)
    if not yes and not as_json and sys.stdin.isatty() and sys.stderr.isatty():
        confirm_long_run(estimate_time(plan, earlier_trials(plan, place.results))["seconds"])
    trackers = progress_and_notification(notify)
    checks = {"is_checked": not options["no_check"], "is_smoked": options["smoke"]}
    directory = run_plan(request, plan, place, **checks, extra_trackers=trackers)
    show_study(directory, as_json=as_json)


def _require_same(fingerprint: str, plan: StudyPlan, place: RunLocation) -> None:
    """Refuse a plan that is another one than the user has seen."""
    from automl.storage.plan_document import run_fingerprint

    if fingerprint != (now := run_fingerprint(plan, place)):
        found = f"{fingerprint[:16]}, of another plan: request, skill, data or machine have changed since"
        fix = "read the plan as it is now, and run with its fingerprint"
        raise wrong_argument(
            "--fingerprint", found, f"{now[:16]}..., the run_fingerprint of the plan as it is now", fix
        )


def confirm_long_run(seconds: float | None) -> None:
    """Ask a person whether to start what is expected to take long; `click.Abort` where the answer is no."""
    if seconds is not None and seconds > _CONFIRM_ABOVE_S:
        click.confirm(f"This may take {format_duration(seconds)}. Start?", abort=True, err=True)


@commands.command("plan")
@study_options
@click.option("--show-commands", is_flag=True, help="Print only a shell script that runs trial 0 as `run` would.")
@click.option("--strict", is_flag=True, help="Exit with 2 where `run` would refuse to start.")
def _plan(*, as_json: bool, show_commands: bool, strict: bool, **options: Any) -> int:  # noqa: ANN401 - click hands over what was declared
    """Show what `run` would do, down to the first trials, and run nothing."""
    from automl.review import reproduce_trial_0, review_plan
    from automl.run import make_plan
    from automl.storage.documents import to_json

    request, place = build_request(options), location(options)
    plan = make_plan(request, place)
    document = review_plan(request, plan, place) if as_json or strict or not show_commands else {"not_runnable": []}
    commands = reproduce_trial_0(plan, place) if show_commands else None
    if as_json:
        print_json(document | ({"commands": to_json(commands)} if commands is not None else {}))
    elif commands is not None:
        click.echo(commands.script, nl=False)
    else:
        _print_plan(document)
    return ConfigurationError.exit_status if strict and document["not_runnable"] else 0


def _print_plan(document: dict[str, Any]) -> None:
    from automl.cli import render

    console = render.console()
    console.print(render.key_values(_plan_rows(document)))
    if document["space"]["parameters"]:
        console.print()
        console.print(render.space_table(document["space"]))
    console.print(render.space_notes(document["space"]), end="")
    by_reason = Counter(item["reason"] for item in document["space"]["left_out"])
    if by_reason:
        console.print(f"\nnot searched: {counted(by_reason.total(), 'parameter')}; `automl space` names each")
        for reason, count in by_reason.most_common():
            console.print(f"  {count:4d}  {reason}")
    console.print("\nfirst trials")
    first = zip(document["first_trials"], document["first_origins"], strict=True)
    for number, (assignment, origin) in enumerate(first):
        console.print(f"  {number}  {render.format_assignment(assignment) or 'no value changed'}  ({origin})")
    if document["not_runnable"]:
        console.print(f"\nnot runnable: {counted(len(document['not_runnable']), 'problem')}, for which `run` stops")
        for problem in document["not_runnable"]:
            click.echo("\n".join(f"  {line}" for line in str(Problem(**problem)).splitlines()))


def _plan_rows(document: dict[str, Any]) -> Iterator[tuple[str, object]]:
    from automl.storage.plan_document import described_skill
    from automl.study.earlier import Agreement

    skill, launch, objective, record = (document[name] for name in ("skill", "launch", "objective", "mlflow"))
    budget, resources, estimate = document["budget"], document["resources"], document["estimate"]
    yield from (("study", document["name"]), ("route", document["route"]))
    yield from (("  because", reason) for reason in document["reasons"])
    yield from (("  alike", f"{name}: {Agreement(**found)}") for name, found in document["agreement"].items())
    yield from ((noun, f"{name}, {skill['root']}") for noun, name in described_skill(skill).items())
    yield "command", skill["command"].splitlines()[0][:120]
    yield "launcher", f"{launch['launcher']} ({launch['reason']})"
    image = (launch["image"], f"named by {launch['image_source']}", launch.get("image_presence"))
    yield "image", ", ".join(filter(None, image)) if launch["image"] is not None else "none: runs in this environment"
    yield "machine", document["machine"]
    yield "objective", f"{objective['direction']} {objective['metric']} ({document['objective_source']})"
    yield from (("and", f"{other['direction']} {other['metric']}") for other in document["objectives"][1:])
    yield from (("constraint", constraint) for constraint in document["constraints"])
    yield from _given(("replicates", _replicates(document)), ("evaluated with", document["evaluate_with"]))
    weighed = WEIGHED[ObjectivePer(document["weighed_by"])]
    yield "sampler", f"{document['sampler']}, seed {document['seed']}{weighed}"
    yield "scheduler", document["scheduler"]
    limit = f", {format_duration(budget['time_s'])}" if budget["time_s"] else ""
    yield "budget", counted(budget["trials"], "trial") + limit
    threads = counted(resources["threads_per_trial"], "CPU thread")
    gpus = f"{resources['gpus_per_trial']:g} GPU, " if resources["gpus_per_trial"] else ""
    yield "resources", f"{resources['jobs']} at once, each {gpus}{threads}"
    yield from _data_rows(document)
    expected = format_duration(estimate["seconds"]) if estimate["seconds"] else "unknown"
    yield "time", f"{expected} ({estimate['basis']})"
    place = f"{record['tracking_uri']}, experiment {record['experiment']}, model {record['model']}"
    yield from (("results", document["study_dir"]), ("mlflow", place), ("fingerprint", document["fingerprint"][:16]))


def _replicates(document: dict[str, Any]) -> str | None:
    race = ", the worse half left out after each seed" if document["race"] else ""
    return f"the best {document['replicates']}{race}" if document["replicates"] else None


def _given(*rows: tuple[str, object]) -> Iterator[tuple[str, object]]:
    return (row for row in rows if row[1])


def _data_rows(document: dict[str, Any]) -> Iterator[tuple[str, object]]:
    yield from (("data", f"{data['split']}: {data['path']} ({data['samples']})") for data in document["data"])
    for row in document["data_check"]:
        where = row["where"].partition(": ")[2]
        yield f"data {row['level']}", "; ".join(filter(None, (where, row["found"], row["fix"])))
    for weights in document["missing_weights"]:
        yield "missing weights", f"{weights['parameter']}: {weights['found']}; {weights['fix']}"


@commands.command("space")
@skill_options
def _space(*, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
    """Show which parameters of a study or skill are searched, which are not, and why."""
    from automl.resolve import resolve_inputs
    from automl.space.document import space_document

    inputs = resolve_inputs(build_request(options))
    skill, space = inputs.skill, inputs.space
    document = space_document(space, skill)
    if as_json:
        print_json(document | {"problems": [*map(dataclasses.asdict, inputs.unread)]})
        return
    from automl.cli import render

    console = render.console()
    console.print(
        f"{skill.name} ({skill.network_arch}): {len(space.parameters)} searched, {len(space.left_out)} left out\n"
    )
    if inputs.unread:
        click.echo("\n".join(map(str, inputs.unread)))
        return
    console.print(render.space_table(document))
    console.print(render.space_notes(document), end="")
    by_reason = defaultdict(list)
    for item in space.left_out:
        by_reason[item.reason].append(item.path)
    for reason, paths in sorted(by_reason.items(), key=lambda entry: -len(entry[1])):
        console.print(f"\nleft out: {reason}", style="bold")
        for path in sorted(paths):
            console.print(f"  {path}")


@commands.command("doctor")
@study_options
def _doctor(*, as_json: bool, **options: Any) -> int:  # noqa: ANN401 - click hands over what was declared
    """Check a machine or cluster, the data and the weights for a run; 0 if it can start, else 2."""
    started_s = time.monotonic()
    findings = _diagnose(options)
    seconds = round(time.monotonic() - started_s, 2)
    levels = Counter(finding.level.value for finding in findings)
    if as_json:
        rows = [finding.document() for finding in findings]
        print_json({"ok": not levels["fail"], "rows": rows, "seconds": seconds})
    else:
        from automl.cli import render

        console = render.console()
        console.print(render.findings_table(findings, console.width))
        names = (("check", len(findings)), ("warning", levels["warn"]), ("failure", levels["fail"]))
        counts = ", ".join(counted(number, name) for name, number in names)
        conclusion = "the run cannot succeed" if levels["fail"] else "the run can start"
        console.print(f"\n{counts} in {seconds:.1f} s: {conclusion}")
    return ConfigurationError.exit_status if levels["fail"] else 0


def _diagnose(options: dict[str, Any]) -> Sequence[Finding]:
    """Return every row for the options of a run; a request that cannot be planned becomes rows too."""
    from automl.preflight.data import with_prepared_paths
    from automl.preflight.doctor import examine
    from automl.preflight.findings import from_problem
    from automl.run import make_plan

    place = location(options)
    try:
        request = with_prepared_paths(build_request(options), place.results)
    except ConfigurationError as error:
        return [from_problem(problem) for problem in error.problems]
    try:
        plan = make_plan(request, place)
    except ConfigurationError as error:
        return [*map(from_problem, error.problems), *examine(request, None, place)]
    return examine(request, plan, place)


@commands.command("check")
@study_options
def _check(*, as_json: bool, **options: Any) -> int:  # noqa: ANN401 - click hands over what was declared
    """List everything that is wrong with a study, a skill and its specs; exits with 0 if nothing is, else 2."""
    problems, warnings = _find_problems(options)
    if as_json:
        print_json({"problems": [*map(dataclasses.asdict, problems)], "warnings": [*map(dataclasses.asdict, warnings)]})
    else:
        for line in (*(f"warning  {found}" for found in warnings), *(f"error  {found}" for found in problems)):
            click.echo(line)
        click.echo(f"{counted(len(problems), 'problem')}, {counted(len(warnings), 'warning')}")
    return ConfigurationError.exit_status if problems else 0


def _find_problems(options: dict[str, Any]) -> tuple[list[Problem], list[Problem]]:
    """Return every problem and every warning of a study, its skill and its spec."""
    from automl.resolve import check_skill_and_spec
    from automl.run import make_plan

    try:
        request = build_request(options)
    except ConfigurationError as error:
        return list(error.problems), []
    problems, warnings = check_skill_and_spec(request)
    try:
        # Without the tracking server, which a plan may ask for points of earlier studies.
        make_plan(request, dataclasses.replace(location(options), tracking_uri=None))
    except ConfigurationError as error:
        problems += [problem for problem in error.problems if problem not in problems]
    return problems, warnings
