"""`automl cluster`: jobs that run a study on a Slurm or Kubernetes cluster, written for review or submitted."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import AbsolutePath, print_json, study_argument
from automl.cli.paths import results_root, wrong_argument
from automl.cli.request_options import build_request, job_options
from automl.errors import InterruptedStudyError, LaunchError, StudyFailedError
from automl.request.counts import MOST_NODES, MOST_PER_NODE
from automl.request.location import make_private
from automl.shown_command import shown

if TYPE_CHECKING:
    from automl.cluster.job import StudyJob

_SUBMIT_LIMIT_S = 60
_GPUS_PER_NODE = click.option(
    "--gpus-per-node", type=click.IntRange(0, MOST_PER_NODE), default=0, show_default=True, metavar="G", help="GPUs."
)
_NOT_CHECKED = "not checked against Kubernetes' schemas: pip install 'automl-vision[k8s]', or kubectl apply --dry-run"


commands = click.Group()


@commands.group("cluster")
def _cluster() -> None:
    """Write, or submit, a job that runs a study on a cluster; a running Ray cluster needs none: --ray-address."""


def _walltime(text: str) -> str:
    from automl.cluster.slurm import slurm_walltime

    try:
        return slurm_walltime(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, nor a walltime such as 04:00:00 or 1-12") from error


@_cluster.command("slurm")
@job_options
@click.option("--nodes", type=click.IntRange(1, MOST_NODES), default=1, show_default=True, metavar="N", help="Nodes.")
@_GPUS_PER_NODE
@click.option(
    "--cpus-per-node", type=click.IntRange(1, MOST_PER_NODE), metavar="C", help="CPUs of each node [whole nodes]."
)
@click.option(
    "--time", "walltime", type=_walltime, metavar="TIME", help="Of each start of the job, e.g. 4h; see above."
)
@click.option("--partition", metavar="NAME", help="Partition.")
@click.option("--account", metavar="NAME", help="Account.")
@click.option("--qos", metavar="NAME", help="Quality of service.")
@click.option("--sbatch", "extra", multiple=True, metavar="NAME=VALUE", help="A further #SBATCH option. Repeatable.")
@click.option("--container", type=AbsolutePath(), metavar="IMAGE", help=".sqsh (pyxis) or .sif with automl in it.")
@click.option("--submit", is_flag=True, help="Submit it with sbatch.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Script; - for stdout.")
def _slurm(*, submit: bool, output: Path | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
    """Write an sbatch script: a Ray cluster inside the allocation, and the study in it."""
    from automl.cluster.slurm import SlurmOptions, slurm_script

    asked = SlurmOptions(**{field.name: options[field.name] for field in dataclasses.fields(SlurmOptions)})
    job = _study_job(options, results_root(options["results"]))
    script = slurm_script(job, asked)
    if str(output) == "-" and not submit:
        click.echo(script, nl=False)
        return
    file = Path(f"{job.name}.sbatch") if output is None or str(output) == "-" else output
    _write(file, script, "automl cluster slurm", "an sbatch script")
    number = _submit(file, job) if submit else None
    if as_json:
        run = list(job.run_arguments)
        print_json({"script": str(file.absolute()), "job_id": number, "run": run, "jobs": job.jobs})
        return
    what = f"{asked.nodes} x {asked.gpus_per_node} GPUs, up to {job.jobs} trials at once"
    click.echo(f"{file}  {what}, {asked.walltime or 'default time'} per start")
    log = f"{job.results}/automl-{job.name}-{number or '%j'}.log"
    command = f"{shlex.join(['mkdir', '-p', str(job.results)])} && {shlex.join(['sbatch', str(file)])}"
    click.echo(f"job {number}, log {log}" if number else f"submit it with: {command}")


@_cluster.command("kubernetes")
@job_options
@click.option("--name", metavar="NAME", help="Of the job and of the study's folder [the study's name].")
@click.option("--container", "pod_image", required=True, metavar="IMAGE", help="Of every pod, with automl in it.")
@click.option(
    "--nodes", type=click.IntRange(1, MOST_NODES), default=1, show_default=True, metavar="N", help="Worker pods."
)
@_GPUS_PER_NODE
@click.option(
    "--cpus-per-node", type=click.IntRange(1, MOST_PER_NODE), default=8, show_default=True, metavar="C", help="CPUs."
)
@click.option("--memory-per-node", default="32Gi", show_default=True, metavar="SIZE", help="Memory.")
@click.option("--shm", default="16Gi", show_default=True, metavar="SIZE", help="Shared memory, part of the memory.")
@click.option("--volume-claim", "claim", default="automl", show_default=True, metavar="NAME", help="Shared volume.")
@click.option("--volume-size", "claim_size", metavar="SIZE", help="Make the claim, with this size.")
@click.option("--storage-class", metavar="NAME", help="Of the claim that is made; it must allow ReadWriteMany.")
@click.option(
    "--mount-path", "mount", default="/shared", show_default=True, metavar="PATH", help="Where it is mounted."
)
@click.option("--secret", "secrets", multiple=True, metavar="NAME", help="A Secret for the environment. Repeatable.")
@click.option("--namespace", metavar="NAME", help="Namespace [that of kubectl].")
@click.option("--cluster-only", "is_cluster_only", is_flag=True, help="A standing RayCluster, no job.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Manifests; - for stdout.")
def _kubernetes(*, output: Path | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
    """Write KubeRay manifests: a RayJob for the study, or a standing RayCluster."""
    from automl.cluster import kubernetes as kube

    results = Path(options["results"] or f"{options['mount']}/results")
    study = None if options["is_cluster_only"] else _study_text(options)
    job = _study_job(options, results, None if study is None else f"{kube.MOUNTED_JOB}/{kube.STUDY_FILE}")
    here = {"name", "image", "ray_version"}
    names = {field.name for field in dataclasses.fields(kube.KubernetesOptions)} - here
    asked = kube.KubernetesOptions(
        name=options["name"] or kube.kubernetes_name(job.name),
        image=options["pod_image"],
        ray_version=importlib.metadata.version("ray"),
        **{name: options[name] for name in names},
    )
    documents = kube.manifests(job, asked, study=study)
    checked = kube.check_published(documents)
    text = kube.as_yaml(documents)
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    file = output or Path(f"{asked.name}.yaml")
    _write(file, text, "automl cluster kubernetes", "manifests")
    if as_json:
        kinds = [f"{document['kind']}/{document['metadata']['name']}" for document in documents]
        print_json({"file": str(file.absolute()), "objects": kinds, "run": list(job.run_arguments)})
        return
    click.echo(f"{file}  {asked.nodes} x {asked.gpus_per_node} GPUs, up to {job.jobs} trials at once")
    click.echo(f"checked against the schemas of Kubernetes {checked}" if checked else _NOT_CHECKED)
    click.echo(f"apply it with: kubectl apply -f {shlex.quote(str(file))}")


def _write(file: Path, text: str, command: str, kind: str) -> None:
    from automl.storage.documents import write_text
    from automl.storage.output_file import require_output

    require_output(file, mark=f"Written by `{command}`.", kind=kind)
    file.parent.mkdir(parents=True, exist_ok=True)  # not of a study
    write_text(file, text)


def _study_text(options: dict[str, Any]) -> str | None:
    """Return the study file for the ConfigMap, with its name in it; None where the study is in every pod."""
    import yaml

    from automl.config_files import read_document

    request = build_request(options)
    file = request.source
    if options["study"] is None or file is None or not Path(options["study"]).is_file():
        return None
    if file.is_relative_to(options["mount"]):
        return None
    if request.program is not None:
        fix = f"put the folder of {file.name} on the volume, and name it there"
        raise wrong_argument("STUDY", f"a program in {file.parent}", f"a folder below {options['mount']}", fix)
    # The request has absolute paths; the manifests refuse a path that is not on the volume.
    found = read_document(file)
    document: dict[str, object] = dict(found) if isinstance(found, dict) else {}
    document |= {"name": request.name, "data": dict(request.data), "skill": request.skill}
    document |= {"spec": request.spec} if request.spec else {}
    return yaml.safe_dump({key: value for key, value in document.items() if value != {}}, sort_keys=False)


@_cluster.command("wait")
@click.option("--ray-address", required=True, metavar="ADDRESS", help="The cluster.")
@click.option("--nodes", type=click.IntRange(1, MOST_NODES), required=True, metavar="N", help="How many.")
def _wait(ray_address: str, nodes: int) -> None:
    """Return once a Ray cluster has so many nodes; the jobs of `automl cluster` call it."""
    from automl.executor.ray.cluster import wait_for_nodes

    wait_for_nodes(ray_address, nodes)


@_cluster.command("outcome")
@study_argument
def _outcome(root: Path) -> int:
    """Exit with 0 for a study that is completed, 5 if it has failed, 130 if a resume goes on; jobs call it."""
    from automl.storage.final_status import read_settled

    outcome = read_settled(root)[2]
    click.echo(f"{root}: {outcome}")
    statuses = {"completed": 0, "failed": StudyFailedError.exit_status}
    return statuses.get(outcome.state, InterruptedStudyError.exit_status)


def _study_job(options: dict[str, Any], results: Path, study: str | None = None) -> StudyJob:
    """Plan the study for the cluster and return it as a job.

    Args:
        options: Of the command: the nodes, and the options of a run.
        results: The results folder, as the nodes have it.
        study: Path of the study file in the job; None for the given name.
    """
    from automl.cli.request_commands import run
    from automl.cluster.job import StudyJob, run_arguments, trials_at_once
    from automl.preflight.data import data_files
    from automl.preflight.doctor import require
    from automl.preflight.findings import from_problem
    from automl.request.apply_text import apply_request_text, request_problems
    from automl.request.location import RunLocation
    from automl.run import make_plan

    request = build_request(options)
    plan = make_plan(request, RunLocation(results=results, ray_address="of the job"))
    require(map(from_problem, request_problems(request, plan.skill)))
    resources = apply_request_text(request, plan.skill)[0]
    each = resources.gpus_per_trial
    each = (plan.resources.gpus_per_trial if options["gpus_per_node"] else 0.0) if each is None else each
    nodes = {name: options[name] for name in ("nodes", "gpus_per_node", "cpus_per_node")}
    fitting = trials_at_once(**nodes, gpus_per_trial=each)
    names = {param.name: max(param.opts, key=len) for param in run.params if isinstance(param, click.Option)}
    given = {names[name]: value for name, value in options.items() if name in names}
    replaced = {"--results": str(results), "--ray-address": None, "--json": None}
    read = [Path(path) for path in data_files(request, plan).values() if not path.startswith("{")]
    read = [path if path.is_dir() else path.parent for path in read]
    # The package's own skills are wherever automl is.
    read += [plan.skill.root] if request.program is not None or Path(request.skill or "?").exists() else []
    return StudyJob(
        name=plan.name,
        results=results,
        run_arguments=run_arguments(study or options["study"], given, replaced=replaced),
        jobs=resources.jobs or fitting,
        read_only=tuple(dict.fromkeys(path for path in read if not path.is_relative_to(results))),
    )


def _submit(file: Path, job: StudyJob) -> str:
    """Submit a script with sbatch and return the job's number."""
    program = shutil.which("sbatch")
    if program is None:
        raise LaunchError(f"sbatch is not installed here; {file} is written, submit it on a machine with Slurm")
    make_private(job.results)
    name = f"automl-{job.name}"
    asked = shown("squeue", "--name", name)
    unsure = f"sbatch did not print the number of a job; check `{asked}` before submitting again"
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, with our own file
            [program, "--parsable", str(file)], capture_output=True, text=True, timeout=_SUBMIT_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(unsure) from error
    if done.returncode != 0:
        raise LaunchError(f"sbatch refuses {file}: {' '.join(done.stderr.split())}")
    number = done.stdout.strip().split(";")[0]
    if not number.isdigit():
        raise LaunchError(unsure)
    return number
