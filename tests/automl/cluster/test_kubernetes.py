"""Manifests for KubeRay: they fit the documented fields, and nothing of a study reaches a shell unquoted."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator

from automl.cluster.job import StudyJob
from automl.cluster.kubernetes import KubernetesOptions, as_yaml, check_published, kubernetes_name, manifests
from automl.errors import ConfigurationError

HOSTILE = "$(touch /tmp/owned); 'x' \"y\" `id` \\"
JOB = StudyJob(name="demo", results=Path("/shared/results"), run_arguments=("toy/quick", "--request", HOSTILE))
_CRD = os.environ.get("AUTOML_KUBERAY_CRD")
OPTIONS = KubernetesOptions(
    name="demo",
    image="registry.example/automl:1",
    ray_version="2.60.0",
    nodes=2,
    gpus_per_node=8,
    claim_size="500Gi",
    storage_class="nfs",
    secrets=("hub-tokens",),
)


def by_kind(**changes: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - fields of the options
    written = as_yaml(manifests(JOB, dataclasses.replace(OPTIONS, **changes), study="skill: toy\n"))
    return {document["kind"]: document for document in yaml.safe_load_all(written)}


@pytest.mark.skipif(_CRD is None, reason="AUTOML_KUBERAY_CRD names no file of KubeRay's CRDs")
@pytest.mark.parametrize("kind", ["RayJob", "RayCluster"])
def test_every_field_is_one_of_the_published_crds(kind: str) -> None:
    found = by_kind(is_cluster_only=kind == "RayCluster", namespace="vision")

    problems = [error.message for error in Draft4Validator(published_schema(kind)).iter_errors(found[kind])]

    assert not problems


def published_schema(kind: str) -> dict[str, Any]:
    """Return the openAPIV3Schema of a kind from a stream of CRDs, or from the list of `kubectl get crd -o yaml`."""
    # KubeRay's are 1.3 MB each: a second with libyaml, a quarter of a minute without.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = yaml.load_all(Path(_CRD or "").read_text(encoding="utf-8"), Loader=loader)
    crds = [item["spec"] for document in documents for item in document.get("items", [document])]
    versions = next(crd["versions"] for crd in crds if crd["names"]["kind"] == kind)
    return closed(next(version["schema"]["openAPIV3Schema"] for version in versions if version["name"] == "v1"))


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a structural schema in which a field that an API server would drop does not pass."""
    found = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found[key] = closed(schema[key])
    if "properties" in schema:
        found["properties"] = {name: closed(inner) for name, inner in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            found.setdefault("additionalProperties", False)
    return found


@pytest.mark.parametrize("is_cluster_only", [False, True])
def test_objects_and_pods_fit_the_published_schemas_of_kubernetes(is_cluster_only: bool) -> None:  # noqa: FBT001
    pytest.importorskip("kubernetes_validate")
    written = manifests(JOB, dataclasses.replace(OPTIONS, is_cluster_only=is_cluster_only), study="skill: toy\n")

    assert check_published(written)
    cluster = next(one["spec"] for one in written if one["apiVersion"].startswith("ray.io/"))
    pod = cluster.get("rayClusterSpec", cluster)["headGroupSpec"]["template"]["spec"]
    pod["volume"] = []
    with pytest.raises(ConfigurationError, match=r"Pod/head: spec[\s\S]*volume"):
        check_published(written)


def test_workers_get_gpus_the_volume_shared_memory_and_secrets_by_name() -> None:
    cluster = by_kind()["RayJob"]["spec"]["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}

    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (2, 2, 2)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"
    assert volumes["shared"]["persistentVolumeClaim"]["claimName"] == "automl"
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "16Gi"}
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["shm"].endswith("/shm")
    assert container["envFrom"] == [{"secretRef": {"name": "hub-tokens"}}]
    assert cluster["authOptions"] == {"mode": "token"}


def test_trials_never_run_on_the_head() -> None:
    head = by_kind()["RayJob"]["spec"]["rayClusterSpec"]["headGroupSpec"]

    assert head["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    assert "nvidia.com/gpu" not in head["template"]["spec"]["containers"][0]["resources"]["limits"]


def run_start(folder: Path, *, is_started: bool) -> list[list[str]]:
    """Run the start script with a recording `automl`; return the arguments of each call."""
    study = folder / "results" / "demo"
    if is_started:
        study.mkdir(parents=True)
        (study / "plan.json").touch()
    tool = folder / "automl"
    tool.write_text('#!/bin/sh\nprintf "%s\\0" "$@" >> calls; printf "\\n\\0" >> calls\n', encoding="utf-8")
    tool.chmod(0o755)
    script = by_kind()["ConfigMap"]["data"]["start.sh"].replace("/shared/results", str(folder / "results"))
    environment = {**os.environ, "PATH": f"{folder}:/usr/bin:/bin"}
    subprocess.run(["bash", "-c", script], cwd=folder, env=environment, check=True)  # noqa: S607 - the pod's shell
    calls = (folder / "calls").read_text(encoding="utf-8").split("\n\0")
    return [call.split("\0")[:-1] for call in calls if call]


def test_the_job_starts_the_study_with_the_words_as_they_are(tmp_path: Path) -> None:
    waiting, running = run_start(tmp_path, is_started=False)

    assert waiting == ["cluster", "wait", "--ray-address", "auto", "--nodes", "3"]
    assert running[:4] == ["run", *JOB.run_arguments]
    assert running[4:] == ["--study-dir", f"{tmp_path}/results/demo", "--ray-address", "auto", "--yes"]


def test_a_restarted_job_goes_on_with_what_it_finds_on_the_volume(tmp_path: Path) -> None:
    _, running, asked = run_start(tmp_path, is_started=True)

    assert running == ["resume", f"{tmp_path}/results/demo", "--ray-address", "auto"]
    assert asked == ["cluster", "outcome", f"{tmp_path}/results/demo"]


def test_the_entry_point_is_fixed_and_the_job_is_tried_again() -> None:
    spec = by_kind()["RayJob"]["spec"]

    assert spec["entrypoint"] == "bash /etc/automl/start.sh"
    assert (spec["backoffLimit"], spec["shutdownAfterJobFinishes"]) == (3, True)


def test_the_study_file_travels_with_the_job() -> None:
    assert by_kind()["ConfigMap"]["data"]["study.yaml"] == "skill: toy\n"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Demo_1"}, "--name"),
        ({"image": "a b"}, "--container"),
        ({"secrets": ("x=y",)}, "--secret"),
        ({"shm": "lots"}, "--shm"),
        ({"mount": "/etc"}, "--mount-path"),
        ({"mount": "/data"}, "which is in no pod"),
    ],
)
def test_values_that_cannot_be_used_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        manifests(JOB, dataclasses.replace(OPTIONS, **changes))


def test_data_that_are_not_on_the_volume_are_refused() -> None:
    job = dataclasses.replace(JOB, read_only=(Path("/home/me/data"),))

    with pytest.raises(ConfigurationError, match="/home/me/data, which is in no pod"):
        manifests(job, OPTIONS)


def test_names_of_studies_become_names_of_kubernetes() -> None:
    assert kubernetes_name("depth_net_mono-Demo.2") == "depth-net-mono-demo-2"
