"""Put a model version into MLflow's registry exactly once, and point the alias `champion` at it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow import pyfunc
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import Schema, TensorSpec

from automl.architectures.load import load_architecture

if TYPE_CHECKING:
    from mlflow import MlflowClient

_WEIGHTS = "weights"
_CHAMPION = "champion"
"""Alias of the version to use."""


def register(client: MlflowClient, run_id: str, request: dict[str, Any], root: Path, study_id: str) -> None:
    """Register a model version unless this study has registered the same one already; move the alias to it.

    A version is the study's best checkpoint with the spec that made it. Where a loader for the model is known, the
    artifact is an MLflow `pyfunc` model: ``mlflow.pyfunc.load_model("models:/NAME@champion")`` works with the trainer's
    package alone. Otherwise it is the plain folder.

    Args:
        client: Connected to the registry.
        run_id: The study's run; the model folder becomes its artifact ``champion/<start of the hash>``.
        request: See `ModelRegistered`.
        root: The study directory; relative files are found from it.
        study_id: The study's own id.

    Raises:
        MlflowException: a file is gone, or the server refused.
    """
    name = re.sub(r"[/:]", "_", request["name"])
    tags = {**request["tags"], "automl.study_id": study_id}
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    versions = client.search_model_versions(f"name = '{name}'")
    version = next((found.version for found in versions if tags.items() <= found.tags.items()), None)
    if version is None:
        source = _log_model(client, run_id, request, root)
        version = client.create_model_version(name, source, run_id, tags=tags, await_creation_for=0).version
    for key, value in request.get("later_tags", {}).items():
        client.set_model_version_tag(name, str(version), key, value)
    client.set_registered_model_alias(name, _CHAMPION, str(version))
    client.set_tag(run_id, "automl.model", f"models:/{name}/{version}")


def _log_model(client: MlflowClient, run_id: str, request: dict[str, Any], root: Path) -> str:
    files = {name: root / path for name, path in request["files"].items()}
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        raise MlflowException.invalid_parameter_value(f"gone before it could be registered: {', '.join(missing)}")
    folder = f"champion/{request['tags'].get('automl.sha256', '')[:12] or 'model'}"
    # Entries of earlier versions name the architecture instead.
    loader = request["loader"] if "loader" in request else load_architecture(request["network_arch"]).model_loader
    folder_of_files = folder
    if loader is not None:
        _log_pyfunc_description(client, run_id, folder, loader, request.get("metadata", {}))
        folder_of_files = f"{folder}/data/{_WEIGHTS}"
    for name, file in files.items():
        _log_as(client, run_id, file, folder_of_files, name)
    return f"{client.get_run(run_id).info.artifact_uri}/{folder}"


def _log_pyfunc_description(
    client: MlflowClient, run_id: str, folder: str, loader: str, metadata: dict[str, Any]
) -> None:
    """Log the MLmodel file and its neighbours; the weights follow by themselves, so they are copied once."""
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, 3))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, -1))]),
    )
    rows, columns = np.mgrid[0:28, 0:42]
    ramps = np.stack([rows * 9, columns * 6, (rows + columns) * 3], axis=-1).astype(np.uint8)
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / _WEIGHTS
        data.mkdir()
        (data / "README").write_text("The best checkpoint of the study and the spec that made it.\n", encoding="utf-8")
        model = Path(temporary) / "model"
        pyfunc.save_model(
            model,
            loader_module=loader,
            data_path=str(data),
            signature=signature,
            input_example=ramps,
            pip_requirements=["automl-vision[depth]"],
            metadata=metadata,
        )
        client.log_artifacts(run_id, str(model), folder)


def _log_as(client: MlflowClient, run_id: str, file: Path, folder: str, name: str) -> None:
    if file.is_dir():
        client.log_artifacts(run_id, str(file), f"{folder}/{name}")
        return
    if file.name == name:
        client.log_artifact(run_id, str(file), folder)
        return
    with tempfile.TemporaryDirectory(dir=file.parent) as temporary:
        # MLflow keeps the local file's name; a symbolic link gives it another one without a copy.
        link = Path(temporary) / name
        link.symlink_to(file.resolve())
        client.log_artifact(run_id, str(link), folder)
