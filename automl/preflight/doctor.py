"""Everything that can be known about a run before it costs anything, as one table.

`examine` is what `automl doctor` shows. `require_ready` is the first step of `automl run`: the same checks less the
slow ones (a child process of the trainer, a container engine that is asked), so it adds a fraction of a second. The
trainer's own look at the data follows in `require_sound_data`, beside work that has to be done anyway.
"""

from __future__ import annotations

import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.launch.command import build_command
from automl.machine import detect_machine
from automl.preflight.annotations import check_annotations
from automl.preflight.cluster import DOCTOR_LIMIT_S, RUN_LIMIT_S, cluster_findings
from automl.preflight.data import annotation_files, data_files, data_findings, numbers, sample_findings
from automl.preflight.engine import engine_path_findings
from automl.preflight.estimate import estimate_disk, time_finding
from automl.preflight.findings import Finding, Level, failures, from_problem
from automl.preflight.inputs import prepared_folder
from automl.preflight.machine import Demand, check_machine, location_finding
from automl.preflight.probe import ProbeRequest, probe_machine
from automl.preflight.software import credential_findings, launch_findings, tracking_finding, version_finding
from automl.preflight.trainer_check import check_depth_data
from automl.preflight.weights import check_weights, named_weights
from automl.spec.inputs import pending_downloads
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from automl.request.location import RunLocation
    from automl.request.study_request import StudyRequest
    from automl.study.model import StudyPlan

logger = logging.getLogger(__name__)

_SAMPLED_LINES = 1000
_SAMPLED_LINES_QUICKLY = 100


def examine(
    request: StudyRequest, plan: StudyPlan | None, place: RunLocation, *, is_quick: bool = False
) -> tuple[Finding, ...]:
    """Return every row about a run.

    Args:
        request: With the paths of prepared data filled in.
        plan: None where no plan could be made; only the machine is looked at then.
        place: Where the run would go.
        is_quick: Leave out what takes longer than a fraction of a second.
    """
    data = {} if plan is None else data_files(request, plan)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="look at data") as pool:
        looking = None
        if plan is not None and not is_quick and not _are_made_later(request, data, place.results):
            looking = pool.submit(check_depth_data, plan)
        found, versions = _examine_place(request, plan, place, data, is_quick=is_quick)
        if plan is not None:
            found += _study_findings(request, plan, place, data, is_quick=is_quick)
            lines = _SAMPLED_LINES_QUICKLY if is_quick else _SAMPLED_LINES
            found += [check_annotations(Path(file), sampled=lines) for file in annotation_files(data)]
        found += [] if looking is None else looking.result()
    found.append(version_finding(versions))
    return tuple(found)


def _examine_place(
    request: StudyRequest, plan: StudyPlan | None, place: RunLocation, data: Mapping[str, str], *, is_quick: bool
) -> tuple[list[Finding], Mapping[str, str]]:
    """Return the rows of the machine or cluster, and the versions here."""
    # A container brings its program.
    is_here = plan is not None and plan.launch.launcher in {LauncherKind.WARM, LauncherKind.LOCAL}
    program = build_command(plan.skill.actions[plan.action].command, Path("spec"))[0] if plan and is_here else None
    weights = () if plan is None else (value for _, value in named_weights(plan.spec.values) if value.startswith("/"))
    paths = tuple(dict.fromkeys((*data.values(), *weights)))
    wanted = ProbeRequest(results=str(place.results), paths=paths, program=program)
    demand = _demand(plan, place.results, program)
    if place.ray_address is None:
        probe = probe_machine(wanted)
        found = [location_finding(probe, place.results), *check_machine(probe, demand)]
    else:
        # Here only the driver runs: it writes results and reads what the study names.
        probe = probe_machine(dataclasses.replace(wanted, program=None))
        found = [location_finding(probe, place.results), *check_machine(probe, Demand(disk_bytes=demand.disk_bytes))]
        asked = _without_pending(wanted, _pending(request, place.results))
        limit_s = RUN_LIMIT_S if is_quick else DOCTOR_LIMIT_S
        found += cluster_findings(place.ray_address, asked, demand, probe.versions, limit_s=limit_s)
    return found, probe.versions


def require_ready(request: StudyRequest, plan: StudyPlan, place: RunLocation) -> None:
    """Stop a run that cannot succeed; what is merely doubtful is logged.

    Raises:
        ConfigurationError: every row that fails.
    """
    _require(examine(request, plan, place, is_quick=True))


def require_sound_data(plan: StudyPlan, *, meanwhile: Callable[[], object]) -> None:
    """Let the trainer look at its data as the doctor does, and stop a run that they would ruin.

    Args:
        plan: With data that are there.
        meanwhile: What can be done in the second that the trainer needs; done in any case.

    Raises:
        ConfigurationError: everything that the trainer says is an error.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="look at data") as pool:
        looking = pool.submit(check_depth_data, plan)
        meanwhile()
        _require(looking.result())


def require_seen_by_engine(plan: StudyPlan, place: RunLocation) -> None:
    """Stop a run whose container engine, once it has the image, does not see the study's paths.

    Raises:
        ConfigurationError: every such path.
    """
    _require(tuple(engine_path_findings(plan, place.results)))


def _require(findings: Sequence[Finding]) -> None:
    failed = failures(findings)
    if failed:
        raise ConfigurationError.from_problems([finding.problem() for finding in failed], subject="this run")
    for finding in findings:
        if finding.level is Level.WARN:
            logger.warning("%s: %s; %s", finding.check, finding.found, finding.fix)


def _study_findings(
    request: StudyRequest, plan: StudyPlan, place: RunLocation, data: Mapping[str, str], *, is_quick: bool
) -> Iterator[Finding]:
    yield from data_findings(plan, data, pending=_pending(request, place.results))
    yield from sample_findings(plan, data)
    for path, value in named_weights(plan.spec.values):
        yield check_weights(path, value)
    for problem in pending_downloads(plan.skill, plan.action, plan.spec):
        yield from_problem(problem, check=f"weights {problem.where}", level=Level.WARN)
    yield from credential_findings(plan.skill)
    driver = next((gpu.driver for gpu in detect_machine().gpus if gpu.driver), "")
    asked = tuple(launch_findings(plan.launch, driver=driver, is_quick=is_quick))
    yield from asked
    # An engine that has not answered once is not asked again.
    if not is_quick and place.ray_address is None and not failures(asked):
        yield from engine_path_findings(plan, place.results)
    yield time_finding(plan, place.results)
    if place.tracking_uri is not None:
        yield tracking_finding(place.tracking_uri)


def _are_made_later(request: StudyRequest, data: Mapping[str, str], results: Path) -> bool:
    """Tell whether the run makes its data before its first trial, so that there is nothing to look at yet."""
    return _pending(request, results) is not None and not any(Path(file).exists() for file in data.values())


def _pending(request: StudyRequest, results: Path) -> Path | None:
    """Return the folder of data that the run makes before its first trial; None where there is nothing to make."""
    folder = prepared_folder(request, results)
    return folder if folder is not None and not folder.exists() else None


def _without_pending(wanted: ProbeRequest, pending: Path | None) -> ProbeRequest:
    """Return the request without the paths of data that are not made yet."""
    there = tuple(path for path in wanted.paths if pending is None or not Path(path).is_relative_to(pending))
    return dataclasses.replace(wanted, paths=there)


def _demand(plan: StudyPlan | None, results: Path, program: str | None) -> Demand:
    if plan is None:
        return Demand()
    workers = [plan.spec.get(path) for name in ("workers", "num_workers") for path in numbers(plan.spec.values, name)]
    return Demand(
        jobs=plan.resources.jobs,
        gpus_per_trial=plan.resources.gpus_per_trial,
        loader_workers=max((count for count in workers if isinstance(count, int)), default=None),
        disk_bytes=estimate_disk(plan, results),
        program=program,
        is_image_chosen=plan.launch.launcher.uses_image,
        needs_cuda=not _is_our_own(program),
    )


def _is_our_own(program: str | None) -> bool:
    """Tell whether a program is part of this package, which never computes on a GPU."""
    from automl.launch.entry import find_entry  # noqa: PLC0415 - reads what is installed

    entry = find_entry(program) if program is not None else None
    return entry is not None and entry.module.partition(".")[0] == __package__.partition(".")[0]
