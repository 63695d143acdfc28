"""Schemas of the manifests that we write, from the documented fields of ray.io/v1 and of core/v1; nothing else passes.

Only the fields that we use are here. The published CRD of KubeRay has more; it is too large for a test.
"""

from __future__ import annotations

from typing import Any


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON schemas
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
QUANTITY = {"type": "string", "pattern": r"^\d+(\.\d+)?([KMGT]i?|m)?$"}
QUANTITIES = {"type": "object", "additionalProperties": QUANTITY}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
METADATA = _object(("name",), name=NAME, namespace=NAME, labels=TEXTS)
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
        containers={"type": "array", "items": CONTAINER, "minItems": 1},
        volumes={"type": "array", "items": VOLUME},
    ),
)
CLUSTER = _object(
    ("headGroupSpec",),
    rayVersion=TEXT,
    authOptions=_object((), mode={"enum": ["disabled", "token"]}),
    headGroupSpec=_object(("rayStartParams", "template"), rayStartParams=TEXTS, template=POD_TEMPLATE),
    workerGroupSpecs={
        "type": "array",
        "items": _object(
            ("groupName", "maxReplicas", "minReplicas", "rayStartParams", "template"),
            groupName=NAME,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
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
_RAY, _CORE = {"const": "ray.io/v1"}, {"const": "v1"}
SCHEMAS: dict[str, dict[str, Any]] = {
    "RayJob": _object(
        ("apiVersion", "kind", "metadata", "spec"), apiVersion=_RAY, kind=TEXT, metadata=METADATA, spec=JOB
    ),
    "RayCluster": _object(
        ("apiVersion", "kind", "metadata", "spec"), apiVersion=_RAY, kind=TEXT, metadata=METADATA, spec=CLUSTER
    ),
    "ConfigMap": _object(
        ("apiVersion", "kind", "metadata"), apiVersion=_CORE, kind=TEXT, metadata=METADATA, data=TEXTS
    ),
    "PersistentVolumeClaim": _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion=_CORE,
        kind=TEXT,
        metadata=METADATA,
        spec=_object(
            ("accessModes", "resources"),
            accessModes={"type": "array", "items": {"enum": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"]}},
            resources=_object((), requests=QUANTITIES),
            storageClassName=NAME,
        ),
    ),
}
