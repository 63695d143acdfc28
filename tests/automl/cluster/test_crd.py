"""Manifests against CRDs: what an API server would refuse, and what it would drop without a word."""

from __future__ import annotations

import copy
import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl.cluster.crd import check_manifests, read_crds
from automl.cluster.kubernetes import manifests
from automl.errors import ConfigurationError
from tests.automl.cluster.kuberay_schema import CLUSTER, JOB, crd
from tests.automl.cluster.test_kubernetes import JOB as STUDY
from tests.automl.cluster.test_kubernetes import OPTIONS

RAY_JOB = manifests(STUDY, OPTIONS)[-1]
_PUBLISHED = os.environ.get("AUTOML_KUBERAY_CRD")


def written(folder: Path, *documents: dict[str, Any]) -> Path:
    file = folder / "crd.yaml"
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return file


def said(document: dict[str, Any], folder: Path) -> list[str]:
    schemas = read_crds([written(folder, crd("RayJob", JOB), crd("RayCluster", CLUSTER))])
    with pytest.raises(ConfigurationError) as caught:
        check_manifests([document], schemas)
    return [f"{problem.where}: {problem.found}" for problem in caught.value.problems]


def test_what_is_checked_is_named_and_objects_of_kubernetes_are_passed_over(tmp_path: Path) -> None:
    schemas = read_crds([written(tmp_path, crd("RayJob", JOB))])

    assert check_manifests(manifests(STUDY, OPTIONS), schemas) == ["RayJob ray.io/v1"]


def test_a_list_as_kubectl_writes_it_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, {"apiVersion": "v1", "kind": "List", "items": [crd("RayJob", JOB)]})

    assert list(read_crds([file])) == [("ray.io/v1", "RayJob")]


def test_a_field_that_would_be_dropped_is_named_with_its_place(tmp_path: Path) -> None:
    older = copy.deepcopy(JOB)
    del older["properties"]["rayClusterSpec"]["properties"]["authOptions"]
    schemas = read_crds([written(tmp_path, crd("RayJob", older))])

    with pytest.raises(ConfigurationError) as caught:
        check_manifests([RAY_JOB], schemas)

    (problem,) = caught.value.problems
    assert problem.where == "RayJob/demo: spec.rayClusterSpec.authOptions"
    assert "drop" in problem.found


def test_wrong_types_and_missing_fields_are_told_all_at_once(tmp_path: Path) -> None:
    job = copy.deepcopy(RAY_JOB)
    job["spec"]["backoffLimit"] = "3"
    group = job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    group["replicas"] = 2**31
    del group["groupName"], group["minReplicas"]  # the second has a default

    place = "RayJob/demo: spec.rayClusterSpec.workerGroupSpecs.0"
    assert said(job, tmp_path) == [
        "RayJob/demo: spec.backoffLimit: '3' is not of type 'integer'",
        f"{place}: 'groupName' is a required property",
        f"{place}.replicas: 2147483648 is greater than the maximum of 2147483647",
    ]


def test_amounts_may_be_numbers_or_texts_and_nothing_else(tmp_path: Path) -> None:
    job = copy.deepcopy(RAY_JOB)
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    head["resources"]["limits"] = {"cpu": 2, "memory": "8Gi"}
    check_manifests([job], read_crds([written(tmp_path, crd("RayJob", JOB))]))

    head["resources"]["limits"] = {"cpu": 2.5}

    assert len(said(job, tmp_path)) == 1


def test_a_field_that_is_open_keeps_what_it_is_given(tmp_path: Path) -> None:
    job = copy.deepcopy(JOB)
    job["properties"]["metadata"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    job["properties"]["empty"] = {"type": "string", "nullable": True}
    document = copy.deepcopy(RAY_JOB)
    document["spec"] |= {"metadata": {"any": {"thing": 1}}, "empty": None}

    assert check_manifests([document], read_crds([written(tmp_path, crd("RayJob", job))]))


def test_a_version_that_is_not_served_is_no_crd(tmp_path: Path) -> None:
    (problem,) = said({**RAY_JOB, "apiVersion": "ray.io/v2"}, tmp_path)

    assert problem == "RayJob/demo: no CRD for RayJob of ray.io/v2"


@pytest.mark.parametrize("text", ["kind: ConfigMap\n", "", "a: [\n"])
def test_a_file_without_a_crd_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "crd.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match="kubectl get crd"):
        read_crds([file])


@pytest.mark.skipif(_PUBLISHED is None, reason="AUTOML_KUBERAY_CRD names no folder of KubeRay's CRDs")
@pytest.mark.parametrize("is_cluster_only", [False, True])
def test_the_published_crds_know_every_field_that_is_written(is_cluster_only: bool) -> None:  # noqa: FBT001
    schemas = read_crds(sorted(Path(_PUBLISHED or "").glob("*.yaml")))
    options = dataclasses.replace(OPTIONS, is_cluster_only=is_cluster_only, namespace="vision")

    assert check_manifests(manifests(STUDY, options, study="skill: toy\n"), schemas)
