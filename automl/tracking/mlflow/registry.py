"""Put a model version into MLflow's registry exactly once, and point the alias `champion` at it."""

from __future__ import annotations

import os
import re
import shutil
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

    The model folder becomes the artifact ``champion/<start of the hash>`` of the study's run. Files of the request, see
    `ModelRegistered`, are found from the study directory ``root``.

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
    """Log the model folder, made of links to its files, and return its address."""
    files = {name: root / path for name, path in request["files"].items()}
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        raise MlflowException.invalid_parameter_value(f"gone before it could be registered: {', '.join(missing)}")
    folder = f"champion/{request['tags'].get('automl.sha256', '')[:12] or 'model'}"
    # Entries of earlier versions name the architecture instead.
    loader = request["loader"] if "loader" in request else load_architecture(request["network_arch"]).model_loader
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / "model"
        weights = model if loader is None else model / "data" / _WEIGHTS
        if loader is not None:
            _save_pyfunc_description(model, loader, request.get("metadata", {}))
        weights.mkdir(exist_ok=True)
        for name, file in files.items():
            if file.is_dir():
                shutil.copytree(file.resolve(), weights / name, copy_function=os.symlink)
            else:
                (weights / name).symlink_to(file.resolve())
        client.log_artifacts(run_id, str(model), folder)
    return f"{client.get_run(run_id).info.artifact_uri}/{folder}"


def _save_pyfunc_description(model: Path, loader: str, metadata: dict[str, Any]) -> None:
    """Save the MLmodel file and its neighbours for weights that are put beside them."""
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, 3))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, -1))]),
    )
    rows, columns = np.mgrid[0:28, 0:42]
    ramps = np.stack([rows * 9, columns * 6, (rows + columns) * 3], axis=-1).astype(np.uint8)
    data = model.parent / _WEIGHTS
    data.mkdir()
    (data / "README").write_text("The best checkpoint of the study and the spec that made it.\n", encoding="utf-8")
    pyfunc.save_model(
        model,
        loader_module=loader,
        data_path=str(data),
        signature=signature,
        input_example=ramps,
        pip_requirements=["automl-vision[depth]"],
        metadata=metadata,
    )
