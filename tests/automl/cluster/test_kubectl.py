"""A dry run by kubectl itself, as a client: it reads the manifests, and would send what stands in them.

kubectl asks an API server which kinds there are, even for a dry run; that is all that the one of this test answers.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from automl.cluster.kubernetes import as_yaml, manifests
from tests.automl.cluster.test_kubernetes import JOB, OPTIONS
from tests.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KUBECTL = shutil.which("kubectl")

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (Debian: kubernetes-client)")


def resource(plural: str, kind: str) -> dict[str, Any]:
    return {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": ["create", "get"]}


_RAY = {"groupVersion": "ray.io/v1", "version": "v1"}
_CORE_KINDS = [resource("configmaps", "ConfigMap"), resource("persistentvolumeclaims", "PersistentVolumeClaim")]
_RAY_KINDS = [resource("rayjobs", "RayJob"), resource("rayclusters", "RayCluster")]
ANSWERS: dict[str, dict[str, Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "ray.io", "versions": [_RAY], "preferredVersion": _RAY}],
    },
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": _CORE_KINDS},
    "/apis/ray.io/v1": {"kind": "APIResourceList", "groupVersion": "ray.io/v1", "resources": _RAY_KINDS},
}


class Discovery(http.server.BaseHTTPRequestHandler):
    """Says which kinds there are."""

    def do_GET(self) -> None:
        answer = ANSWERS.get(self.path.split("?", maxsplit=1)[0])
        absent = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        body = json.dumps(absent if answer is None else answer).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own signature
        """Say nothing."""


@contextlib.contextmanager
def discovery() -> Iterator[str]:
    with LocalServer(("127.0.0.1", 0), Discovery) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def dry_run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "job.yaml"
    file.write_text(text, encoding="utf-8")
    with discovery() as server:
        return subprocess.run(
            [
                *(str(KUBECTL), f"--server={server}", f"--cache-dir={folder}/cache", "apply"),
                *("--dry-run=client", "--validate=false", "-o", "json", "-f", str(file)),
            ],
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def test_kubectl_would_send_every_object_as_it_was_written(tmp_path: Path) -> None:
    documents = manifests(JOB, OPTIONS, study="skill: toy\n")

    done = dry_run(tmp_path, as_yaml(documents))

    assert done.returncode == 0, done.stderr
    sent = read_stream(done.stdout)
    assert [document["kind"] for document in sent] == ["PersistentVolumeClaim", "ConfigMap", "RayJob"]
    for document, expected in zip(sent, documents, strict=True):
        assert document.get("spec", document.get("data")) == expected.get("spec", expected.get("data"))


def test_kubectl_refuses_a_kind_that_the_cluster_does_not_have(tmp_path: Path) -> None:
    done = dry_run(tmp_path, as_yaml(manifests(JOB, OPTIONS)).replace("kind: RayJob", "kind: RayJb"))

    assert done.returncode == 1
    assert 'no matches for kind "RayJb"' in done.stderr


def read_stream(text: str) -> list[dict[str, Any]]:
    """Return the documents of a stream of JSON objects, or of one list."""
    documents = []
    while text := text.strip():
        document, end = json.JSONDecoder().raw_decode(text)
        documents += document.get("items", [document])
        text = text[end:]
    return documents
