"""CRDs with the documented fields of ray.io/v1 that our manifests use, in the form of the published ones.

Types, enums, defaults and required fields are those of KubeRay's API types (`ray-operator/apis/ray/v1`), from which its
CRDs are generated. The published CRDs name every field of a pod, 1.3 MB each; AUTOML_KUBERAY_CRD names a folder of them
for the tests.
"""

from __future__ import annotations

from typing import Any


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON schemas
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "format": "int32"}
QUANTITY = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": r"^\d+(\.\d+)?([KMGT]i?|m)?$",
    "x-kubernetes-int-or-string": True,
}
QUANTITIES = {"type": "object", "additionalProperties": QUANTITY}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
CONTAINER = _object(
    ("name", "image"),
    name=NAME,
    image=TEXT,
    resources=_object((), requests=QUANTITIES, limits=QUANTITIES),
    volumeMounts={
        "type": "array",
        "items": _object(("name", "mountPath"), name=NAME, mountPath=TEXT, readOnly={"type": "boolean"}),
    },
    env={"type": "array", "items": _object(("name",), name=TEXT, value={"type": "string"})},
    envFrom={"type": "array", "items": _object(("secretRef",), secretRef=_object(("name",), name=NAME))},
)
VOLUME = _object(
    ("name",),
    name=NAME,
    persistentVolumeClaim=_object(("claimName",), claimName=NAME),
    emptyDir=_object((), medium={"enum": ["", "Memory"]}, sizeLimit=QUANTITY),
    configMap=_object(("name",), name=NAME),
)
POD_TEMPLATE = _object(
    ("spec",),
    spec=_object(
        ("containers",),
        containers={"type": "array", "items": CONTAINER},
        volumes={"type": "array", "items": VOLUME},
    ),
)
CLUSTER = _object(
    ("headGroupSpec",),
    rayVersion=TEXT,
    authOptions=_object((), mode={"enum": ["disabled", "token"]}),
    headGroupSpec=_object(("template",), rayStartParams=TEXTS, template=POD_TEMPLATE),
    workerGroupSpecs={
        "type": "array",
        "items": _object(
            ("groupName", "maxReplicas", "minReplicas", "template"),
            groupName=NAME,
            replicas=COUNT,
            minReplicas={**COUNT, "default": 0},
            maxReplicas={**COUNT, "default": 2**31 - 1},
            numOfHosts={**COUNT, "default": 1},
            rayStartParams=TEXTS,
            template=POD_TEMPLATE,
        ),
    },
)
JOB = _object(
    ("entrypoint",),
    entrypoint=TEXT,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"]},
    backoffLimit=COUNT,
    shutdownAfterJobFinishes={"type": "boolean"},
    ttlSecondsAfterFinished=COUNT,
    rayClusterSpec=CLUSTER,
)


def crd(kind: str, spec: dict[str, Any], *, version: str = "v1") -> dict[str, Any]:
    """Return a CustomResourceDefinition of ray.io with one version."""
    schema = _object((), apiVersion=TEXT, kind=TEXT, metadata={"type": "object"}, spec=spec, status={"type": "object"})
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.ray.io"},
        "spec": {
            "group": "ray.io",
            "names": {"kind": kind, "plural": f"{kind.lower()}s"},
            "scope": "Namespaced",
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
