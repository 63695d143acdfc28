"""`automl cluster`: jobs that run a study on a Slurm or Kubernetes cluster, written for review or submitted."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import build_request, job_options, results_root
from automl.errors import LaunchError

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
    from automl.cluster.slurm import SlurmOptions, slurm_script  # noqa: PLC0415 - opened when the command is called
    from automl.study.directory import write_text  # noqa: PLC0415 - opened when the command is called

    container: Path | None = options["container"]
    asked = SlurmOptions(
        container=container.expanduser().absolute() if container else None,
        **{name: options[name] for name in ("nodes", "gpus_per_node", "cpus_per_node", "walltime", "partition")},
        **{name: options[name] for name in ("account", "qos", "extra")},
    )
    job = _study_job(context, nodes=asked.nodes, gpus_per_node=asked.gpus_per_node, cpus_per_node=asked.cpus_per_node)
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
                {"script": str(file.absolute()), "job_id": number, "run": list(job.run_words), "jobs": job.jobs},
                indent=2,
            )
        )
        return
    what = f"{asked.nodes} x {asked.gpus_per_node} GPUs, up to {job.jobs} trials at once"
    click.echo(f"{file}  {what}, {asked.walltime or 'default time'} per start")
    log = f"{job.results}/automl-{job.name}-{number or '%j'}.log"
    click.echo(f"job {number}, log {log}" if number else f"submit it with: sbatch {file}")


@command.command("wait", help="Return once a Ray cluster has so many nodes; the jobs of `automl cluster` call it.")
@click.option("--ray-address", required=True, metavar="ADDRESS", help="The cluster.")
@click.option("--nodes", type=click.IntRange(min=1), required=True, metavar="N", help="How many.")
def wait(ray_address: str, nodes: int) -> None:
    """Wait."""
    from automl.tuning.ray_cluster import wait_for_nodes  # noqa: PLC0415 - ray

    wait_for_nodes(ray_address, nodes)


def _study_job(context: click.Context, *, nodes: int, gpus_per_node: int, cpus_per_node: int | None) -> StudyJob:
    """Plan the study for the cluster and return it as a job; what cannot be planned is no job.

    Raises:
        ConfigurationError: the study cannot be run there.
    """
    from automl.cli.run_command import command as run  # noqa: PLC0415 - opened when the command is called
    from automl.cluster.job import StudyJob, trials_at_once  # noqa: PLC0415 - opened when the command is called
    from automl.cluster.run_words import run_words  # noqa: PLC0415 - opened when the command is called
    from automl.opening import heed_words  # noqa: PLC0415 - opened when the command is called
    from automl.preflight.data import data_files  # noqa: PLC0415 - opened when the command is called
    from automl.run import make_plan  # noqa: PLC0415 - opened when the command is called
    from automl.study.place import RunPlace  # noqa: PLC0415 - opened when the command is called

    options = context.params
    request = build_request(options)
    results = results_root(options["results"])
    plan = make_plan(request, RunPlace(results=results, ray_address="of the job"))
    heard, _ = heed_words(request)
    each = heard.gpus_per_trial
    each = (plan.resources.gpus_per_trial if gpus_per_node else 0.0) if each is None else each
    fitting = trials_at_once(nodes=nodes, gpus_per_node=gpus_per_node, cpus_per_node=cpus_per_node, gpus_per_trial=each)
    names = {param.name: max(param.opts, key=len) for param in run.params if isinstance(param, click.Option)}
    given = {names[name]: value for name, value in options.items() if name in names}
    replaced = {
        "--results": str(results),
        "--ray-address": None,
        "--json": None,
    }
    read = [Path(path) for path in data_files(request, plan).values() if not path.startswith("{")]
    return StudyJob(
        name=plan.name,
        results=results,
        run_words=run_words(options["study"], given, replaced=replaced),
        gpus_per_trial=each,
        jobs=heard.jobs or fitting,
        read_only=tuple(dict.fromkeys([*(path if path.is_dir() else path.parent for path in read), plan.skill.root])),
        credentials=plan.skill.required_credentials,
    )


def _submit(file: Path, job: StudyJob) -> str:
    """Hand a script to sbatch and return the job's number.

    Raises:
        LaunchError: there is no sbatch, it refuses, or it does not say which job it made.
    """
    program = shutil.which("sbatch")
    if program is None:
        raise LaunchError(f"there is no sbatch here; {file} is written, submit it where Slurm is")
    job.results.mkdir(parents=True, exist_ok=True)
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
    return f"sbatch did not say which job it made; look with `squeue --name {name}` before submitting again"
