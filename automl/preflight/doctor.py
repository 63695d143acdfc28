"""Check everything that can be known about a run before it starts, as one table.

`examine` makes the table of `automl doctor`. `before_run` is the first step of `automl run`: the same checks without
the container engine, while other work is done. `automl plan` makes them too and only lists what fails, so a plan
cannot promise what a run refuses. What a run makes first is checked by the trainer again in `require_sound_data`.
"""

from __future__ import annotations

import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.launch.command import example_command
from automl.preflight.annotations import check_annotations
from automl.preflight.cluster import DOCTOR_LIMIT_S, RUN_LIMIT_S, cluster_findings
from automl.preflight.data import (
    annotation_files,
    data_files,
    data_findings,
    finite_findings,
    numbers,
    pending_folder,
    sample_findings,
    with_prepared_paths,
)
from automl.preflight.engine import engine_path_findings, launch_findings
from automl.preflight.estimate import earlier_trials, estimate_disk, time_finding
from automl.preflight.findings import Finding, Level, doubt, failures, from_problem
from automl.preflight.machine import Demand, check_machine, location_finding
from automl.preflight.probe import ProbeRequest, probe_machine
from automl.preflight.record import record_findings
from automl.preflight.software import credential_findings, socket_finding, version_finding
from automl.preflight.trainer_check import DEPTH_DATA, check_depth_data
from automl.preflight.weights import check_weights, named_weights
from automl.request.apply_text import apply_request_text, request_problems
from automl.spec.build import override_problems
from automl.spec.inputs import pending_downloads
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from automl.preflight.probe import ProbeResult
    from automl.request.location import RunLocation
    from automl.request.study_request import StudyRequest
    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult

logger = logging.getLogger(__name__)

_SAMPLED_LINES = 1000
_SAMPLED_LINES_QUICKLY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run that is checked: what `examine` is given, and what it has found out for several checks."""

    plan: StudyPlan
    location: RunLocation
    is_quick: bool
    data: Mapping[str, str]
    """Name -> path of what trials read."""
    pending: Path | None
    """The folder of data that the run makes before its first trial; None where there is nothing to make."""
    earlier: Sequence[TrialResult]
    """Completed trials of earlier studies of the same skill."""


def examine(
    request: StudyRequest,
    plan: StudyPlan | None,
    location: RunLocation,
    *,
    is_quick: bool = False,
    is_checked: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[Finding, ...]:
    """Return every row about a run.

    Args:
        request: With the paths of prepared data filled in.
        plan: None where no plan could be made; then only the machine is checked.
        location: Where the run would be.
        is_quick: Leave out the container engine, and read fewer lines.
        is_checked: The trainer checks spec and data.
        meanwhile: Called while it does.
    """
    if plan is None:
        wanted = ProbeRequest(results=str(location.results))
        probe, found = _machine_findings(location, wanted, Demand(), is_quick=is_quick)
        return (*found, version_finding(probe.versions))
    run = _Run(
        plan=plan,
        location=location,
        data=data_files(request, plan),
        pending=pending_folder(request, location.results),
        earlier=earlier_trials(plan, location.results),
        is_quick=is_quick,
    )
    overrides = apply_request_text(request, plan.skill, all_gpus=1)[0].overrides
    wrong = override_problems(plan.skill, plan.action, overrides, template=Path(request.spec) if request.spec else None)
    asked = [from_problem(problem) for problem in (*request_problems(request, plan.skill), *wrong)]
    has_data = run.pending is None or any(Path(file).exists() for file in run.data.values())
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="check data") as pool:
        test = request.data.get("test")
        checked = pool.submit(check_depth_data, plan, is_made=has_data, test=test) if is_checked else None
        meanwhile()
        probe, found = _machine_findings(location, *_needs(run), is_quick=is_quick)
        found += [*asked, *_study_findings(run, probe)]
        known = {f"{DEPTH_DATA}: {row.check.partition(' ')[2]}" for row in asked}
        for row in checked.result() if checked is not None else ():
            is_pending = run.pending is not None and str(run.pending) in row.found
            found += [] if row.check in known or is_pending else [row]
    return (*found, version_finding(probe.versions))


def before_run(
    request: StudyRequest,
    plan: StudyPlan,
    location: RunLocation,
    *,
    is_checked: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[Finding, ...]:
    """Return the rows of which one that fails stops a run before it starts anything; the same for `plan` and `run`.

    Args:
        request: As it was given.
        plan: What was made of it.
        location: Where the run would be.
        is_checked: The trainer checks spec and data too, which takes about a second.
        meanwhile: Called in that second.
    """
    request = with_prepared_paths(request, location.results)
    rows = examine(request, plan, location, is_quick=True, is_checked=is_checked, meanwhile=meanwhile)
    if location.ray_address is None and not failures(rows) and pending_folder(request, location.results) is None:
        rows = (*rows, *engine_path_findings(plan, location.results))
    return rows


def require_sound_data(plan: StudyPlan) -> None:
    """Stop a run whose data, just made, its trainer cannot use; raises as `require`."""
    require(check_depth_data(plan))


def require(findings: Iterable[Finding]) -> None:
    """Stop a run that cannot succeed; warnings are logged.

    Raises:
        ConfigurationError: every row that fails.
    """
    findings = tuple(findings)
    failed = failures(findings)
    if failed:
        raise ConfigurationError.from_problems([finding.problem() for finding in failed], subject="this run")
    for finding in findings:
        if finding.level is Level.WARN:
            logger.warning("%s: %s; %s", finding.check, finding.found, finding.fix)


def _needs(run: _Run) -> tuple[ProbeRequest, Demand]:
    """Return what a probe reads for a run, and what the run needs of a machine."""
    plan, values, pending = run.plan, run.plan.spec.values, run.pending
    weights = (value for _, value in named_weights(values) if value.startswith("/"))
    paths = dict.fromkeys((*run.data.values(), *weights))
    made = tuple(path for path in paths if pending is None or not Path(path).is_relative_to(pending))
    # In a container the command's program is part of the image.
    is_here = plan.launch.launcher in {LauncherKind.WARM, LauncherKind.LOCAL}
    program = example_command(plan.skill.actions[plan.action].command)[0] if is_here else None
    workers = [count for name in ("workers", "num_workers") for _, count in numbers(values, name)]
    demand = Demand(
        jobs=plan.resources.jobs,
        gpus_per_trial=plan.resources.gpus_per_trial,
        loader_workers=max(workers, default=None),
        disk_bytes=estimate_disk(plan, run.earlier),
        program=program,
        is_image_chosen=plan.launch.launcher.uses_image,
        needs_cuda=not _is_own_program(program),
    )
    return ProbeRequest(results=str(run.location.results), paths=made, program=program), demand


def _is_own_program(program: str | None) -> bool:
    """Return whether a program is part of this package, which never computes on a GPU."""
    from automl.launch.entry import find_entry  # noqa: PLC0415 - reads what is installed

    entry = find_entry(program) if program is not None else None
    return entry is not None and entry.module.partition(".")[0] == __package__.partition(".")[0]


def _machine_findings(
    location: RunLocation, wanted: ProbeRequest, demand: Demand, *, is_quick: bool
) -> tuple[ProbeResult, list[Finding]]:
    """Return the probe of this machine, and the rows about it and about the nodes of a cluster."""
    address = location.ray_address
    # Of a cluster only the driver runs on this machine: it writes results and reads the data of the study.
    probe = probe_machine(wanted if address is None else dataclasses.replace(wanted, program=None))
    here = demand if address is None else Demand(disk_bytes=demand.disk_bytes)
    rows = [location_finding(probe, location.results), *check_machine(probe, here)]
    if address is None:
        rows.append(socket_finding())
    else:
        limit_s = RUN_LIMIT_S if is_quick else DOCTOR_LIMIT_S
        rows += cluster_findings(address, wanted, demand, probe.versions, limit_s=limit_s)
    return probe, rows


def _study_findings(run: _Run, probe: ProbeResult) -> Iterator[Finding]:
    plan = run.plan
    yield from data_findings(plan, run.data, unreadable=probe.unreadable, pending=run.pending)
    yield from sample_findings(plan, run.data)
    yield from finite_findings(plan.spec.values)
    for path, value in named_weights(plan.spec.values):
        yield check_weights(path, value)
    for problem in pending_downloads(plan.skill, plan.action, plan.spec):
        yield doubt(f"weights {problem.where}", problem.found, expected=problem.expected, fix=problem.fix)
    yield from credential_findings(plan.skill)
    driver = next((gpu.driver for gpu in probe.machine.gpus if gpu.driver), "")
    launch = tuple(launch_findings(plan.launch, driver=driver, is_quick=run.is_quick))
    yield from launch
    if not run.is_quick and run.location.ray_address is None and not failures(launch):
        yield from engine_path_findings(plan, run.location.results)
    yield time_finding(plan, run.earlier)
    yield from record_findings(run.location.tracking_uri, plan.experiment, run.location.results)
    for file in annotation_files(run.data, unreadable=probe.unreadable):
        yield check_annotations(file, sampled=_SAMPLED_LINES_QUICKLY if run.is_quick else _SAMPLED_LINES)
