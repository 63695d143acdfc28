"""Check the nodes of a Ray cluster as this machine is checked, and that they read the same files.

Every node is probed, up to 64. To know whether the results folder is shared, a marker file is put into it here, and
each node reports whether it is there.
"""

from __future__ import annotations

import contextlib
import math
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError, counted
from automl.machine import most_threads, threads_of
from automl.preflight.findings import Finding, Level, bad, doubt, good
from automl.preflight.machine import Demand, check_machine
from automl.preflight.probe import ProbeRequest, ProbeResult, nearest_folder, probe_machine
from automl.preflight.software import ray_address_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automl.executor.ray.cluster import NoAnswer
    from automl.request.study_request import ResourceSettings, StudyRequest
    from automl.study.model import Resources, StudyPlan

DOCTOR_LIMIT_S = 7.0
RUN_LIMIT_S = 60.0
"""A run can wait for a busy node; the doctor shows its table when every node has answered."""
_VERSIONS = {"python": bad, "ray": bad, "automl-vision": doubt}
"""What must be the same everywhere, and what should be."""


def cluster_findings(
    address: str, request: ProbeRequest, demand: Demand, here: Mapping[str, str], *, limit_s: float = DOCTOR_LIMIT_S
) -> list[Finding]:
    """Return what is wrong with the nodes of a cluster, and one good row for all nodes that are alike.

    Their versions must agree with those of this machine, ``here``. The limit is for joining the cluster and probing its
    nodes together.
    """
    found = ray_address_findings(address)
    if found:
        return found
    from automl.executor.ray.cluster import ask_nodes  # noqa: PLC0415 - ray, only where a cluster is named

    try:
        with _marked(request) as marked:
            answers = ask_nodes(address, probe_machine, marked, limit_s=limit_s)
    except LaunchError as error:
        fix = "correct --ray-address; a cluster with a token needs RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH here"
        return [bad("cluster", error.headline, expected="a Ray cluster that answers", fix=fix)]
    for name, answer in answers.items():
        found += _node_findings(name, answer, demand, here)
    return _without_repeats(found)


def fit_to_nodes(
    resources: Resources, request: ResourceSettings, nodes: Sequence[Mapping[str, float]], *, trials: int
) -> Resources:
    """Return resources with which the trials of a study fill a cluster; what the request sets stays.

    Args:
        resources: Planned without the cluster.
        request: What the user asks for.
        nodes: What each node offers, by the names of Ray.
        trials: No more than these run at once.
    """
    gpus, cpus = [node.get("GPU", 0.0) for node in nodes], [node.get("CPU", 0.0) for node in nodes]
    each = resources.gpus_per_trial
    if request.gpus_per_trial is None:
        each = min(each, max(gpus, default=0.0))
    share = request.cpus_per_trial or 1.0
    fitting = [
        int(min(gpu / each, cpu / share) + 1e-9) if each > 0 else int(cpu / share)
        for gpu, cpu in zip(gpus, cpus, strict=True)
    ]
    bundles = sum(fitting) if resources.nodes_per_trial == 1 else sum(1 for count in fitting if count)
    jobs = min(request.jobs or max(1, bundles // resources.nodes_per_trial), trials)
    if request.cpus_per_trial is None:
        # GPUs may be left over when trials are few; a node's CPUs are then shared among those that can be there.
        most = math.ceil(jobs / max(1, len(nodes)))
        shares = [cpu // max(1, min(count, most)) for cpu, count in zip(cpus, fitting, strict=True) if count]
        share = max(1.0, min(shares, default=1.0))
    threads = threads_of(share, most_threads())
    return replace(resources, jobs=jobs, gpus_per_trial=each, cpus_per_trial=share, threads_per_trial=threads)


def filling_cluster(plan: StudyPlan, request: StudyRequest, address: str) -> StudyPlan:
    """Return a plan whose trials fill the cluster; unchanged where the request decides, or no cluster answers."""
    is_cluster = address == "auto" or address.rpartition(":")[2].isdigit()
    is_decided = request.jobs is not None and request.gpus_per_trial is not None
    if is_decided or not is_cluster or ray_address_findings(address):
        return plan
    from automl.executor.ray.cluster import nodes_of  # noqa: PLC0415 - ray, only where a cluster is named

    try:
        nodes = nodes_of(address)
    except LaunchError:
        return plan  # the doctor, and the start, say why
    return replace(plan, resources=fit_to_nodes(plan.resources, request, nodes, trials=plan.budget.trials))


@contextlib.contextmanager
def _marked(request: ProbeRequest) -> Iterator[ProbeRequest]:
    """Put a marker into the results folder for a while, and give the request that asks for it."""
    marker = nearest_folder(Path(request.results)) / f".automl-seen-{secrets.token_hex(6)}"
    try:
        marker.touch(mode=0o600)
    except OSError:
        yield request  # a row of this machine says that nothing can be written
        return
    try:
        yield replace(request, marker=str(marker))
    finally:
        marker.unlink(missing_ok=True)  # not of a study: a marker made just before


def _node_findings(name: str, answer: ProbeResult | NoAnswer, demand: Demand, here: Mapping[str, str]) -> list[Finding]:
    if not isinstance(answer, ProbeResult):
        level = doubt if answer.is_late else bad
        fix = "ask again when it is less busy" if answer.is_late else "install the same automl there"
        row = level("node", answer.reason, expected="an answer", fix=f"{fix}, or look into the node's log")
        return [replace(row, where=name)]
    # Ray decides how many trials a node gets, and counts the GPUs that it was started with.
    gpus = demand.gpus_per_trial if demand.needs_cuda else 0.0
    rows = [*check_machine(answer, replace(demand, jobs=1, gpus_per_trial=gpus)), *_differences(answer, here)]
    wrong = [replace(row, where=name) for row in rows if row.level is not Level.OK]
    parts = "; ".join(row.found for row in rows if row.check in {"gpus", "disk"} and row.level is Level.OK)
    return wrong or [replace(good("node", f"{answer.machine.cpus} CPUs; {parts}"), where=name)]


def _without_repeats(rows: list[Finding]) -> list[Finding]:
    """Merge equal rows of several nodes into one that names the first node and counts the others."""
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for row in rows:
        found = row.found.rpartition("; ")[0] if row.level is Level.OK else row.found  # free disk space differs
        alike.setdefault((row.check, row.level, found, row.fix), []).append(row)
    return [
        replace(first, where=f"{first.where} and {counted(len(others), 'other')}") if others else first
        for first, *others in alike.values()
    ]


def _differences(probe: ProbeResult, here: Mapping[str, str]) -> Iterator[Finding]:
    """Return what a node does not see, and which versions it has that this machine has not."""
    if probe.has_marker is False:
        found, fix = f"{probe.results} is another folder there than here", "choose a shared folder with --results"
        expected = "storage that every node has at the same path"
        yield bad("results", found, expected=expected, fix=f"{fix} or AUTOML_RESULTS")
    for path, reason in probe.unreadable.items():
        fix = "put it on shared storage, or mount it there at the same path"
        yield bad("path", f"{path}: {reason}", expected="the same path on every node", fix=fix)
    for name, level in _VERSIONS.items():
        there = probe.versions.get(name, "missing")
        if there != here.get(name, "missing"):
            found = f"{there} there, {here.get(name)} here"
            yield level(f"version of {name}", found, fix="install the same one everywhere")
