"""Check manifests against CustomResourceDefinitions as an API server does, without one.

A CRD carries a structural schema (OpenAPI v3). A server fills in its defaults, drops every field that it does not name,
and then validates. Dropping is silent, and a job whose `authOptions` were dropped runs without a token; so an unknown
field is a problem here. Rules in CEL (`x-kubernetes-validations`) are not evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from jsonschema import ValidationError

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_LIMITS = {"int32": 2**31, "int64": 2**63}
_NAMED = 8
"""Fields that are listed as expected."""


def read_crds(files: Iterable[Path]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the schema of every served version in files of CRDs: ``(apiVersion, kind)`` -> openAPIV3Schema.

    Args:
        files: YAML or JSON, of one or more documents, also the lists that `kubectl get crd -o yaml` writes.

    Raises:
        ConfigurationError: a file cannot be read, or has no CRD in it; with every such file.
    """
    schemas: dict[tuple[str, str], dict[str, Any]] = {}
    problems = []
    for file in files:
        try:
            found = {key: schema for document in _documents(file) for key, schema in _served(document)}
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
            found, reason = {}, words
        else:
            reason = "no CustomResourceDefinition with a schema"
        if not found:
            fix = "kubectl get crd rayjobs.ray.io rayclusters.ray.io -o yaml > FILE"
            problems.append(Problem(where=f"--crd {file}", found=reason, expected="a file of CRDs", fix=fix))
        schemas |= found
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the CRDs")
    return schemas


def check_manifests(
    documents: Iterable[Mapping[str, Any]], schemas: Mapping[tuple[str, str], dict[str, Any]]
) -> list[str]:
    """Check the custom resources among manifests; objects of Kubernetes itself are passed over.

    Args:
        documents: Manifests.
        schemas: What `read_crds` returned.

    Returns:
        ``Kind apiVersion`` of everything that was checked.

    Raises:
        ConfigurationError: fields that are unknown, missing or of another type, or no schema; with every problem.
    """
    problems: list[Problem] = []
    checked = []
    for document in documents:
        version, kind = document["apiVersion"], document["kind"]
        if "." not in version.partition("/")[0]:
            continue
        schema = schemas.get((version, kind))
        name = f"{kind}/{document['metadata']['name']}"
        if schema is None:
            known = ", ".join(f"{kind} of {version}" for version, kind in schemas)
            fix = "install KubeRay 1.5.1 or later there, or name the file of its CRD too"
            problems.append(Problem(where=name, found=f"no CRD for {kind} of {version}", expected=known, fix=fix))
            continue
        checked.append(f"{kind} {version}")
        problems += _check(name, document, schema)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the manifests")
    return checked


def _documents(file: Path) -> Iterator[dict[str, Any]]:
    import yaml  # noqa: PLC0415 - opened when a CRD is read

    # KubeRay's are 1.3 MB each: a second with libyaml, a quarter of a minute without.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for document in yaml.load_all(file.read_text(encoding="utf-8"), Loader=loader):
            if isinstance(document, dict):
                yield from document.get("items") or [document]
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _served(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    if document.get("kind") != "CustomResourceDefinition":
        return
    spec = document["spec"]
    for version in spec.get("versions", ()):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if version.get("served") and schema:
            yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), schema


def _check(name: str, document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Problem]:
    from jsonschema import Draft4Validator  # noqa: PLC0415 - 0.3 s that other commands need not pay

    closed = _closed(schema)
    # Every object has these three, whatever its schema says of them; the server knows them.
    closed["properties"] = closed.get("properties", {}) | {"apiVersion": {}, "kind": {}, "metadata": {}}
    for error in sorted(Draft4Validator(closed).iter_errors(document), key=lambda error: list(map(str, error.path))):
        yield from _problems(name, error)


def _problems(name: str, error: ValidationError) -> Iterator[Problem]:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        rules = error.schema
        known = sorted(rules.get("properties", {})) if isinstance(rules, dict) else []
        for field in sorted(set(error.instance) - set(known)):
            yield Problem(
                where=f"{name}: {place}.{field}",
                found="a field that the CRD does not know; the API server would drop it without a word",
                expected=", ".join(known[:_NAMED]) + (", ..." if len(known) > _NAMED else "") or "none",
                fix="install KubeRay 1.5.1 or later there",
            )
        return
    yield Problem(
        where=f"{name}: {place or '(root)'}",
        found=" ".join(error.message.split())[:160],
        expected=f"what the CRD says of {error.validator}",
        fix="install KubeRay 1.5.1 or later there, or report this",
    )


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a structural schema as a JSON Schema of draft 4, in which a field that would be dropped does not pass."""
    closed = dict(schema)
    properties = {name: _closed(inner) for name, inner in schema.get("properties", {}).items()}
    if schema.get(_EMBEDDED):
        properties |= {name: properties.get(name, {}) for name in ("apiVersion", "kind", "metadata")}
    if properties:
        closed["properties"] = properties
    # A default is filled in before anything is missed.
    missed = [
        name for name in schema.get("required", ()) if "default" not in schema.get("properties", {}).get(name, {})
    ]
    closed.pop("required", None)
    closed |= {"required": missed} if missed else {}
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        closed["additionalProperties"] = _closed(inner)
    elif schema.get("type") == "object" and inner is None and not schema.get(_PRESERVE):
        closed["additionalProperties"] = False
    if isinstance(schema.get("items"), dict):
        closed["items"] = _closed(schema["items"])
    limit = _LIMITS.get(schema.get("format", ""))
    if limit is not None and schema.get("type") == "integer":
        closed |= {"minimum": schema.get("minimum", -limit), "maximum": schema.get("maximum", limit - 1)}
    return {"anyOf": [{"type": "null"}, closed]} if schema.get("nullable") else closed
