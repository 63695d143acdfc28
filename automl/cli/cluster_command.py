"""`automl cluster`: jobs that run a study on a Slurm or Kubernetes cluster, written for review or submitted."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import build_request, job_options, results_root
from automl.errors import LaunchError
from automl.request.location import make_private

if TYPE_CHECKING:
    from automl.cluster.job import StudyJob

_SUBMIT_LIMIT_S = 60


@click.group("cluster", help="Write, or submit, a job that runs a study on a cluster. `--ray-address` needs none.")
def command() -> None:
    """Hold the commands."""


class Walltime(click.ParamType[str]):
    """A walltime: Slurm's forms, or a duration such as 4h."""

    name = "walltime"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's own signature
        """Return it as Slurm writes it."""
        from automl.cluster.slurm import slurm_walltime  # noqa: PLC0415 - opened when the option is given

        try:
            return slurm_walltime(str(value))
        except ValueError as error:
            self.fail(f"{error}, nor a walltime such as 04:00:00 or 1-12", param, ctx)


@command.command("slurm", help="One sbatch script: a Ray cluster inside the allocation and the study in it.")
@job_options
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Nodes.")
@click.option("--gpus-per-node", type=click.IntRange(min=0), default=0, show_default=True, metavar="G", help="GPUs.")
@click.option("--cpus-per-node", type=click.IntRange(min=1), metavar="C", help="CPUs of each node [whole nodes].")
@click.option(
    "--time", "walltime", type=Walltime(), metavar="TIME", help="Of each start of the job, e.g. 4h; see above."
)
@click.option("--partition", metavar="NAME", help="Partition.")
@click.option("--account", metavar="NAME", help="Account.")
@click.option("--qos", metavar="NAME", help="Quality of service.")
@click.option("--sbatch", "extra", multiple=True, metavar="NAME=VALUE", help="A further #SBATCH option. Repeatable.")
@click.option(
    "--container", type=click.Path(path_type=Path), metavar="IMAGE", help=".sqsh (pyxis) or .sif with automl in it."
)
@click.option("--submit", is_flag=True, help="Submit it with sbatch.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Script; - for stdout.")
@click.pass_context
def slurm(context: click.Context, /, *, submit: bool, output: Path | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
    """Write the script, and submit it where asked."""
    from automl.cluster.slurm import SlurmOptions, slurm_script  # noqa: PLC0415 - imported when the command is called
    from automl.storage.documents import write_text  # noqa: PLC0415 - imported when the command is called

    container: Path | None = options["container"]
    asked = SlurmOptions(
        container=container.expanduser().absolute() if container else None,
        **{name: options[name] for name in ("nodes", "gpus_per_node", "cpus_per_node", "walltime", "partition")},
        **{name: options[name] for name in ("account", "qos", "extra")},
    )
    job = _study_job(
        context,
        results=results_root(options["results"]),
        nodes=asked.nodes,
        gpus_per_node=asked.gpus_per_node,
        cpus_per_node=asked.cpus_per_node,
    )
    script = slurm_script(job, asked)
    if str(output) == "-" and not submit:
        click.echo(script, nl=False)
        return
    file = Path(f"{job.name}.sbatch") if output is None or str(output) == "-" else output
    write_text(file, script)
    number = _submit(file, job) if submit else None
    if as_json:
        click.echo(
            json.dumps(
                {"script": str(file.absolute()), "job_id": number, "run": list(job.run_arguments), "jobs": job.jobs},
                indent=2,
            )
        )
        return
    what = f"{asked.nodes} x {asked.gpus_per_node} GPUs, up to {job.jobs} trials at once"
    click.echo(f"{file}  {what}, {asked.walltime or 'default time'} per start")
    log = f"{job.results}/automl-{job.name}-{number or '%j'}.log"
    click.echo(f"job {number}, log {log}" if number else f"submit it with: mkdir -p {job.results} && sbatch {file}")


@command.command("kubernetes", help="KubeRay manifests: a RayJob for the study, or a standing RayCluster.")
@job_options
@click.option("--name", metavar="NAME", help="Of the job and of the study's folder [the study's name].")
@click.option("--container", "pod_image", required=True, metavar="IMAGE", help="Of every pod, with automl in it.")
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Worker pods.")
@click.option("--gpus-per-node", type=click.IntRange(min=0), default=0, show_default=True, metavar="G", help="GPUs.")
@click.option("--cpus-per-node", type=click.IntRange(min=1), default=8, show_default=True, metavar="C", help="CPUs.")
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
@click.pass_context
def kubernetes(
    context: click.Context,
    /,
    *,
    output: Path | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - click hands over what was declared
) -> None:
    """Write the manifests."""
    from automl.cluster import kubernetes as kube  # noqa: PLC0415 - imported when the command is called
    from automl.storage.documents import write_text  # noqa: PLC0415 - imported when the command is called

    results = Path(options["results"] or f"{options['mount']}/results")
    study = None if options["is_cluster_only"] else _study_text(options)
    job = _study_job(
        context,
        results=results,
        nodes=options["nodes"],
        gpus_per_node=options["gpus_per_node"],
        cpus_per_node=options["cpus_per_node"],
        study=f"{kube.MOUNTED_JOB}/{kube.STUDY_FILE}" if study is not None else None,
    )
    here = {"name", "image", "ray_version"}
    names = {field.name for field in dataclasses.fields(kube.KubernetesOptions)} - here
    asked = kube.KubernetesOptions(
        name=options["name"] or kube.kubernetes_name(job.name),
        image=options["pod_image"],
        ray_version=importlib.metadata.version("ray"),
        **{name: options[name] for name in names},
    )
    documents = kube.manifests(job, asked, study=study)
    text = kube.as_yaml(documents)
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    file = output or Path(f"{asked.name}.yaml")
    write_text(file, text)
    if as_json:
        kinds = [f"{document['kind']}/{document['metadata']['name']}" for document in documents]
        document = {"file": str(file.absolute()), "objects": kinds, "run": list(job.run_arguments)}
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{file}  {asked.nodes} x {asked.gpus_per_node} GPUs, up to {job.jobs} trials at once")
    click.echo(f"apply it with: kubectl apply -f {file}")


def _study_text(options: dict[str, Any]) -> str | None:
    """Return the study file for the ConfigMap, with its name in it; None where the study is in every pod."""
    import yaml  # noqa: PLC0415 - imported when the command is called

    request = build_request(options)
    file = request.source
    if options["study"] is None or file is None or not Path(options["study"]).is_file():
        return None
    if file.is_relative_to(options["mount"]):
        return None
    document = {
        **yaml.safe_load(file.read_text(encoding="utf-8")),
        "name": request.name,
        "data": dict(request.data),
    }
    # The request has absolute paths; the manifests refuse a path that is not on the volume.
    document |= {"skill": request.skill} | ({"spec": request.spec} if request.spec else {})
    return yaml.safe_dump({key: value for key, value in document.items() if value != {}}, sort_keys=False)


@command.command("wait", help="Return once a Ray cluster has so many nodes; the jobs of `automl cluster` call it.")
@click.option("--ray-address", required=True, metavar="ADDRESS", help="The cluster.")
@click.option("--nodes", type=click.IntRange(min=1), required=True, metavar="N", help="How many.")
def wait(ray_address: str, nodes: int) -> None:
    """Wait."""
    from automl.executor.ray.cluster import wait_for_nodes  # noqa: PLC0415 - ray

    wait_for_nodes(ray_address, nodes)


def _study_job(
    context: click.Context,
    *,
    results: Path,
    nodes: int,
    gpus_per_node: int,
    cpus_per_node: int | None,
    study: str | None = None,
) -> StudyJob:
    """Plan the study for the cluster and return it as a job.

    Args:
        context: Of the command, with the options of a run.
        results: The results folder, as the nodes have it.
        nodes: Nodes that run trials.
        gpus_per_node: GPUs of each.
        cpus_per_node: CPUs of each, where known.
        study: Path of the study file in the job; None for the given name.

    Raises:
        ConfigurationError: the study cannot be run there.
    """
    from automl.cli.run_command import command as run  # noqa: PLC0415 - imported when the command is called
    from automl.cluster.job import StudyJob, run_arguments, trials_at_once  # noqa: PLC0415 - imported when the command is called
    from automl.preflight.data import data_files  # noqa: PLC0415 - imported when the command is called
    from automl.request.apply_text import apply_request_text  # noqa: PLC0415 - imported when the command is called
    from automl.request.location import RunLocation  # noqa: PLC0415 - imported when the command is called
    from automl.run import make_plan  # noqa: PLC0415 - imported when the command is called

    options = context.params
    request = build_request(options)
    plan = make_plan(request, RunLocation(results=results, ray_address="of the job"))
    resources = apply_request_text(request)[0]
    each = resources.gpus_per_trial
    each = (plan.resources.gpus_per_trial if gpus_per_node else 0.0) if each is None else each
    fitting = trials_at_once(nodes=nodes, gpus_per_node=gpus_per_node, cpus_per_node=cpus_per_node, gpus_per_trial=each)
    names = {param.name: max(param.opts, key=len) for param in run.params if isinstance(param, click.Option)}
    given = {names[name]: value for name, value in options.items() if name in names}
    replaced = {"--results": str(results), "--ray-address": None, "--json": None}
    read = [Path(path) for path in data_files(request, plan).values() if not path.startswith("{")]
    read = [path if path.is_dir() else path.parent for path in read]
    # The package's own skills are wherever automl is.
    read += [plan.skill.root] if Path(request.skill).exists() else []
    return StudyJob(
        name=plan.name,
        results=results,
        run_arguments=run_arguments(study or options["study"], given, replaced=replaced),
        jobs=resources.jobs or fitting,
        read_only=tuple(dict.fromkeys(path for path in read if not path.is_relative_to(results))),
    )


def _submit(file: Path, job: StudyJob) -> str:
    """Submit a script with sbatch and return the job's number.

    Raises:
        LaunchError: there is no sbatch, it refuses the script, or it prints no number.
    """
    program = shutil.which("sbatch")
    if program is None:
        raise LaunchError(f"sbatch is not installed here; {file} is written, submit it on a machine with Slurm")
    make_private(job.results)
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, with our own file
            [program, "--parsable", str(file)], capture_output=True, text=True, timeout=_SUBMIT_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(_unsure(job)) from error
    if done.returncode != 0:
        raise LaunchError(f"sbatch refuses {file}: {' '.join(done.stderr.split())}")
    number = done.stdout.strip().split(";")[0]
    if not number.isdigit():
        raise LaunchError(_unsure(job))
    return number


def _unsure(job: StudyJob) -> str:
    name = f"automl-{job.name}"
    return f"sbatch did not print the number of a job; check `squeue --name {name}` before submitting again"
