"""Manifests for KubeRay: a study as a RayJob, or a standing RayCluster, with the objects that they need.

The job's entry point is one fixed command. The parts of a study are in a ConfigMap: the study file, and a start script
in which every argument of the run is quoted. Results are on a volume that outlives the job; the script resumes a study
that is there, so a restarted job goes on. Secrets are named, never written.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.cluster.job import unfit
from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.cluster.job import StudyJob

MOUNTED_JOB = "/etc/automl"
"""Where the ConfigMap is mounted."""
STUDY_FILE = "study.yaml"
_START_FILE = "start.sh"
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?")
_QUANTITY = re.compile(r"\d+(?:\.\d+)?(?:[KMGT]i?)?")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*")
_MOUNT = re.compile(r"/[A-Za-z0-9_./-]+")
_KEPT_S = 3600
_START = """\
set -euo pipefail
run=({run})
study={study}
automl cluster wait --ray-address auto --nodes {nodes}
status=0
if [ -f "$study/plan.json" ]; then
  automl resume "$study" --ray-address auto || status=$?
else
  automl run "${{run[@]}}" --study-dir "$study" --ray-address auto --yes || status=$?
fi
# 3: every trial had ended before the job was restarted.
[ "$status" -ne 3 ] || [ ! -f "$study/best.json" ] || status=0
exit "$status"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesOptions:
    """What the job asks of Kubernetes.

    Attributes:
        name: Name of the job; part of the names of everything made for it.
        image: Image of every pod, with automl, Ray and the trainer.
        ray_version: Version of Ray in the image.
        nodes: Worker pods.
        gpus_per_node: GPUs of each.
        cpus_per_node: CPUs of each.
        memory_per_node: Memory of each, e.g. ``64Gi``.
        shm: Size of /dev/shm of each, part of its memory.
        claim: PersistentVolumeClaim that every pod mounts.
        claim_size: Size of a claim to make; None where it exists already.
        storage_class: Of the claim to make.
        mount: Where the claim is mounted.
        secrets: Secrets whose keys become environment variables.
        namespace: Namespace; None for the one of ``kubectl``.
        is_cluster_only: A standing RayCluster instead of a RayJob.
        restarts: How often the job is tried again.
    """

    name: str
    image: str
    ray_version: str
    nodes: int = 1
    gpus_per_node: int = 0
    cpus_per_node: int = 8
    memory_per_node: str = "32Gi"
    shm: str = "16Gi"
    claim: str = "automl"
    claim_size: str | None = None
    storage_class: str | None = None
    mount: str = "/shared"
    secrets: tuple[str, ...] = ()
    namespace: str | None = None
    is_cluster_only: bool = False
    restarts: int = 3


def manifests(job: StudyJob, options: KubernetesOptions, *, study: str | None = None) -> list[dict[str, Any]]:
    """Return the manifests, in the order in which they are applied.

    Args:
        job: The study; its results folder is below ``options.mount``.
        options: What the job asks for.
        study: Text of the study file, where it is not on the volume.

    Raises:
        ConfigurationError: a value does not fit its field; with every problem.
    """
    problems = list(_problems(job, options))
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the job")
    found = []
    if options.claim_size is not None:
        found.append(_claim(options))
    if not options.is_cluster_only:
        found.append(_config_map(job, options, study))
    spec = _cluster_spec(job, options)
    if options.is_cluster_only:
        return [*found, {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": _metadata(options), "spec": spec}]
    ray_job = {
        "entrypoint": f"bash {MOUNTED_JOB}/{_START_FILE}",
        "submissionMode": "K8sJobMode",
        "backoffLimit": options.restarts,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": _KEPT_S,
        "rayClusterSpec": spec,
    }
    return [*found, {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": _metadata(options), "spec": ray_job}]


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """Return manifests as text; scripts and files in them as readable blocks."""
    import yaml  # noqa: PLC0415 - opened when a job is written

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent)
    written: str = yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=120)
    return written


def kubernetes_name(text: str) -> str:
    """Return a study's name in the form of Kubernetes: lower case, digits and dashes, at most 52 characters."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:52].strip("-")


def _metadata(options: KubernetesOptions, suffix: str = "") -> dict[str, Any]:
    namespace = {"namespace": options.namespace} if options.namespace else {}
    labels = {"app.kubernetes.io/managed-by": "automl", "app.kubernetes.io/instance": options.name}
    return {"name": f"{options.name}{suffix}", **namespace, "labels": labels}


def _claim(options: KubernetesOptions) -> dict[str, Any]:
    of_class = {"storageClassName": options.storage_class} if options.storage_class else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {**_metadata(options), "name": options.claim},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": options.claim_size}},
            **of_class,
        },
    }


def _config_map(job: StudyJob, options: KubernetesOptions, study: str | None) -> dict[str, Any]:
    script = _START.format(
        run=" ".join(shlex.quote(argument) for argument in job.run_arguments),
        study=shlex.quote(f"{job.results}/{options.name}"),
        nodes=options.nodes + 1,
    )
    files = {_START_FILE: script, **({STUDY_FILE: study} if study is not None else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(options), "data": files}


def _cluster_spec(job: StudyJob, options: KubernetesOptions) -> dict[str, Any]:
    head = {"cpu": "2", "memory": "8Gi"}
    worker = {"cpu": str(options.cpus_per_node), "memory": options.memory_per_node}
    if options.gpus_per_node:
        worker["nvidia.com/gpu"] = str(options.gpus_per_node)
    return {
        "rayVersion": options.ray_version,
        "authOptions": {"mode": "token"},
        "headGroupSpec": {
            # The driver runs here, trials do not.
            "rayStartParams": {"num-cpus": "0", "num-gpus": "0"},
            "template": _pod("ray-head", job, options, head, shm="2Gi"),
        },
        "workerGroupSpecs": [
            {
                "groupName": "trials",
                "replicas": options.nodes,
                "minReplicas": options.nodes,
                "maxReplicas": options.nodes,
                "rayStartParams": {},
                "template": _pod("ray-worker", job, options, worker, shm=options.shm),
            }
        ],
    }


def _pod(
    name: str, job: StudyJob, options: KubernetesOptions, resources: dict[str, str], *, shm: str
) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "shared", "persistentVolumeClaim": {"claimName": options.claim}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shm}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "shared", "mountPath": options.mount},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 # the pod's own
    ]
    if not options.is_cluster_only:
        volumes.append({"name": "job", "configMap": {"name": options.name}})
        mounts.append({"name": "job", "mountPath": MOUNTED_JOB, "readOnly": True})
    container = {
        "name": name,
        "image": options.image,
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "volumeMounts": mounts,
        "env": [
            {"name": "AUTOML_RESULTS", "value": str(job.results)},
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
        ],
        "envFrom": [{"secretRef": {"name": secret}} for secret in options.secrets],
    }
    return {"spec": {"containers": [container], "volumes": volumes}}


def _problems(job: StudyJob, options: KubernetesOptions) -> Iterator[Problem]:
    labels = {"--name": options.name, "--volume-claim": options.claim, "--namespace": options.namespace}
    labels |= {"--storage-class": options.storage_class}
    for option, label in [*labels.items(), *(("--secret", secret) for secret in options.secrets)]:
        if label is not None and _LABEL.fullmatch(label) is None:
            yield unfit(option, label, "lower-case letters, digits and dashes, at most 52")
    sizes = {"--memory-per-node": options.memory_per_node, "--shm": options.shm, "--volume-size": options.claim_size}
    for option, amount in sizes.items():
        if amount is not None and _QUANTITY.fullmatch(amount) is None:
            yield unfit(option, amount, "a size such as 64Gi")
    if _IMAGE.fullmatch(options.image) is None:
        yield unfit("--container", options.image, "the name of an image")
    if _MOUNT.fullmatch(options.mount) is None or options.mount.startswith(("/dev", "/etc", "/proc")):
        yield unfit("--mount-path", options.mount, "a plain path such as /shared")
    outside = [path for path in (job.results, *job.read_only) if not path.is_relative_to(options.mount)]
    for path in outside:
        yield Problem(
            where="the volume",
            found=f"{path}, which is in no pod",
            expected=f"a path below {options.mount}, where the volume is mounted",
            fix="copy it to the volume and name it by its path there, or change --mount-path",
        )
