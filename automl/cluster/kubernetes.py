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

from automl.cluster.job import refuse, unfit
from automl.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.cluster.job import StudyJob

MOUNTED_JOB = "/etc/automl"
"""Where the ConfigMap is mounted."""
STUDY_FILE = "study.yaml"
_START_FILE = "start.sh"
_KEPT_S = 3600
_RESTARTS = 3
"""How often a job that has failed is tried again."""
_START = """\
set -euo pipefail
run=({run})
study={study}
automl cluster wait --ray-address auto --nodes {nodes}
status=0
if [ -f "$study/plan.json" ]; then
  automl resume "$study" --ray-address auto || status=$?
else
  automl run "${{run[@]}}" --study-dir "$study" --ray-address auto --yes
  exit
fi
# A resume does what is left and ends with 0, or with 3 where nothing was left; the study itself may have failed.
if [ "$status" -eq 0 ] || [ "$status" -eq 3 ]; then automl cluster outcome "$study"; exit; fi
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
        memory_per_node: E.g. ``64Gi``.
        shm: Size of /dev/shm, part of the memory.
        claim: PersistentVolumeClaim that every pod mounts.
        claim_size: Size of a claim to make; None where it exists already.
        storage_class: Of the claim to make.
        mount: Where the claim is mounted.
        secrets: Secrets whose keys become environment variables.
        namespace: Namespace; None for the one of ``kubectl``.
        is_cluster_only: A standing RayCluster instead of a RayJob.
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


def manifests(job: StudyJob, options: KubernetesOptions, *, study: str | None = None) -> list[dict[str, Any]]:
    """Return the manifests, in the order in which they are applied.

    Args:
        job: The study; its results folder is below ``options.mount``.
        options: What the job asks for.
        study: Text of the study file, where it is not on the volume.

    Raises:
        ConfigurationError: a value does not fit its field; with every problem.
    """
    refuse(_problems(job, options))
    claim = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": options.claim_size}},
        **({"storageClassName": options.storage_class} if options.storage_class else {}),
    }
    script = _START.format(
        run=" ".join(shlex.quote(argument) for argument in job.run_arguments),
        study=shlex.quote(f"{job.results}/{options.name}"),
        nodes=options.nodes + 1,
    )
    files = {_START_FILE: script, **({STUDY_FILE: study} if study is not None else {})}
    cluster = _cluster_spec(job, options)
    ray_job = {
        "entrypoint": f"bash {MOUNTED_JOB}/{_START_FILE}",
        "submissionMode": "K8sJobMode",
        "backoffLimit": _RESTARTS,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": _KEPT_S,
        "rayClusterSpec": cluster,
    }
    found = []
    if options.claim_size is not None:
        found.append(_object(options, "v1", "PersistentVolumeClaim", name=options.claim, spec=claim))
    if options.is_cluster_only:
        return [*found, _object(options, "ray.io/v1", "RayCluster", spec=cluster)]
    return [
        *found,
        _object(options, "v1", "ConfigMap", data=files),
        _object(options, "ray.io/v1", "RayJob", spec=ray_job),
    ]


def check_published(documents: list[dict[str, Any]]) -> str | None:
    """Check manifests, and the pods in them, against the published schemas; return the version of Kubernetes.

    KubeRay's own objects are not in those schemas, the pods in them are. None where the extra k8s is not installed.

    Raises:
        ConfigurationError: an object does not fit; with every problem.
    """
    try:
        import kubernetes_validate  # noqa: PLC0415 - 22 MB, an extra
    except ModuleNotFoundError:
        return None
    version = kubernetes_validate.latest_version()
    problems = []
    for document in [*(one for one in documents if not _is_of_ray(one)), *_pods_in(documents)]:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = f"{document['kind']}/{document['metadata']['name']}: {'.'.join(map(str, error.path))}"
            expected = f"the schema of Kubernetes {version}"
            problems.append(Problem(where=where, found=error.message, expected=expected, fix="change the option"))
    refuse(problems)
    return str(version)


def _is_of_ray(document: dict[str, Any]) -> bool:
    return str(document["apiVersion"]).startswith("ray.io/")


def _pods_in(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in filter(_is_of_ray, documents):
        cluster = document["spec"].get("rayClusterSpec", document["spec"])
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            name = group.get("groupName", "head")
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, **group["template"]}


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """Return manifests as text; scripts and files in them as readable blocks."""
    import yaml  # noqa: PLC0415 - opened when a job is written

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent)
    written: str = yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=120)
    return f"# Written by `automl cluster kubernetes`.\n{written}"


def kubernetes_name(text: str) -> str:
    """Return a study's name in the form of Kubernetes: lower case, digits and dashes, at most 52 characters."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:52].strip("-")


def _object(
    options: KubernetesOptions, version: str, kind: str, *, name: str | None = None, **content: dict[str, Any]
) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "automl", "app.kubernetes.io/instance": options.name}
    namespace = {"namespace": options.namespace} if options.namespace else {}
    metadata = {"name": name or options.name, **namespace, "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


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
    volumes: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("shared", {"persistentVolumeClaim": {"claimName": options.claim}}, {"mountPath": options.mount}),
        ("shm", {"emptyDir": {"medium": "Memory", "sizeLimit": shm}}, {"mountPath": "/dev/shm"}),  # noqa: S108 # the pod's own
    ]
    if not options.is_cluster_only:
        volumes.append(("job", {"configMap": {"name": options.name}}, {"mountPath": MOUNTED_JOB, "readOnly": True}))
    container = {
        "name": name,
        "image": options.image,
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "volumeMounts": [{"name": volume, **mount} for volume, _, mount in volumes],
        "env": [
            {"name": "AUTOML_RESULTS", "value": str(job.results)},
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
        ],
        "envFrom": [{"secretRef": {"name": secret}} for secret in options.secrets],
    }
    sources = [{"name": volume, **source} for volume, source, _ in volumes]
    return {"spec": {"containers": [container], "volumes": sources}}


def _problems(job: StudyJob, options: KubernetesOptions) -> Iterator[Problem]:
    labels = {"--name": options.name, "--volume-claim": options.claim, "--namespace": options.namespace}
    labels |= {"--storage-class": options.storage_class}
    secrets = (("--secret", secret) for secret in options.secrets)
    expected = "lower-case letters, digits and dashes, at most 52"
    yield from unfit([*labels.items(), *secrets], r"[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?", expected)
    sizes = {"--memory-per-node": options.memory_per_node, "--shm": options.shm, "--volume-size": options.claim_size}
    yield from unfit(sizes.items(), r"\d+(?:\.\d+)?(?:[KMGT]i?)?", "a size such as 64Gi")
    yield from unfit([("--container", options.image)], r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*", "the name of an image")
    mount = [("--mount-path", options.mount)]
    yield from unfit(mount, r"(?!/dev|/etc|/proc)/[A-Za-z0-9_./-]+", "a plain path such as /shared")
    for path in (job.results, *job.read_only):
        if not path.is_relative_to(options.mount):
            yield Problem(
                where="the volume",
                found=f"{path}, which is in no pod",
                expected=f"a path below {options.mount}, where the volume is mounted",
                fix="copy it to the volume and name it by its path there, or change --mount-path",
            )
