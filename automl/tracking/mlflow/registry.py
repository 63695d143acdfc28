"""Put a model version into MLflow's registry exactly once."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow import pyfunc
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import Schema, TensorSpec
from packaging.requirements import Requirement

from automl.architectures.load import load_architecture
from automl.regular_file import followed
from automl.storage.trainer_files import sha256_of
from automl.tracking.mlflow.champion import STUDY_ID, decide_champion, registered_name
from automl.tracking.mlflow.failures import http_status

if TYPE_CHECKING:
    from mlflow import MlflowClient

_OURS = "automl-vision"
_NO_SUCH_ENDPOINT = 404
_WEIGHTS = "weights"


def register(client: MlflowClient, run_id: str, request: dict[str, Any], root: Path, study_id: str) -> str:
    """Register a model version unless this study has registered the same one already.

    A version is the study's best checkpoint with the spec that made it: a logged model, an output of the study's run.
    Where a loader for the model is known it is a `pyfunc` model with the loader's package in it and the versions of
    what that needs: ``mlflow.pyfunc.load_model("models:/NAME@champion")`` and ``mlflow models serve`` need nothing of
    ours. Without a loader its MLmodel has no flavor, so it can be downloaded and not be served. On a server before
    MLflow 3 it is the artifact ``champion/<start of the hash>`` of the run.

    Files of the request, see `ModelRegistered`, are found from the study directory ``root``.

    Returns:
        Which version it is, and whether it is the champion (see `automl.tracking.mlflow.champion`).

    Raises:
        MlflowException: a file is gone or was changed, or the server refused.
    """
    name = registered_name(request["name"])
    tags = {**request["tags"], STUDY_ID: study_id}
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    versions = client.search_model_versions(f"name = '{name}'")
    version = next((found.version for found in versions if tags.items() <= found.tags.items()), None)
    if version is None:
        source, model_id = _log_model(client, run_id, request, root)
        version = client.create_model_version(
            name, source, run_id, tags=tags, await_creation_for=0, model_id=model_id
        ).version
    for key, value in request.get("later_tags", {}).items():
        client.set_model_version_tag(name, str(version), key, value)
    client.set_tag(run_id, "automl.model", f"models:/{name}/{version}")
    return f"{name} version {version}, {decide_champion(client, name, str(version))}"


def _files_of(request: dict[str, Any], root: Path) -> dict[str, Path]:
    """Return the files of a model folder by their names there; refuse those that are gone or were changed."""
    files = {name: root / path for name, path in request["files"].items()}
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        raise MlflowException.invalid_parameter_value(f"gone before it could be registered: {', '.join(missing)}")
    checks = {root / path: digest for path, digest in request.get("sha256", {}).items() if digest}
    changed = [str(file) for file, digest in checks.items() if sha256_of(file) != digest]
    if changed:
        raise MlflowException.invalid_parameter_value(f"changed before it could be registered: {', '.join(changed)}")
    return files


def _log_model(client: MlflowClient, run_id: str, request: dict[str, Any], root: Path) -> tuple[str, str | None]:
    """Log the model folder, made of links to its files; return its address, and its id where it is a logged model."""
    files = _files_of(request, root)
    name = f"champion-{request['tags'].get('automl.sha256', '')[:12] or 'model'}"
    # Entries of earlier versions name the architecture instead.
    loader = request["loader"] if "loader" in request else load_architecture(request["network_arch"]).model_loader
    logged = _logged_model(client, run_id, name, request["tags"])
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / "model"
        weights, facts = model / "data" / _WEIGHTS, request.get("metadata", {})
        description = Model(run_id=run_id, model_id=logged.model_id if logged is not None else None)
        if loader is not None:
            _save_pyfunc_description(model, loader, facts, description)
        else:
            weights.mkdir(parents=True)  # not of a study: a temporary folder
            description.metadata = facts
            description.save(str(model / MLMODEL_FILE_NAME))
        weights.mkdir(exist_ok=True)
        for file_name, file in files.items():
            if file.is_dir():
                shutil.copytree(followed(file), weights / file_name, copy_function=os.symlink)
            else:
                (weights / file_name).symlink_to(followed(file))
        if logged is None:
            folder = name.replace("-", "/", 1)
            client.log_artifacts(run_id, str(model), folder)
            return f"{client.get_run(run_id).info.artifact_uri}/{folder}", None
        client.log_model_artifacts(logged.model_id, str(model))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, int(request["tags"].get("automl.trial", 0)))])
    return f"models:/{logged.model_id}", logged.model_id


def _logged_model(client: MlflowClient, run_id: str, name: str, tags: dict[str, str]) -> LoggedModel | None:
    """Return the logged model of a run that an earlier try has left, else a new one; None before MLflow 3."""
    experiment = client.get_run(run_id).info.experiment_id
    try:
        found = client.search_logged_models([experiment], f"name = '{name}' AND source_run_id = '{run_id}'")
        before = [model for model in found if model.status is LoggedModelStatus.PENDING]
        return before[0] if before else client.create_logged_model(experiment, name, run_id, tags)
    except MlflowException as error:
        if http_status(error) != _NO_SUCH_ENDPOINT:
            raise
        return None


def _save_pyfunc_description(model: Path, loader: str, facts: dict[str, Any], description: Model) -> None:
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
        code_paths=[str(_package(loader))],
        pip_requirements=requirements(loader),
        metadata=facts,
        mlflow_model=description,
    )


def _package(loader: str) -> Path:
    """Return the folder or the file of the package that a loader lies in."""
    found = find_spec(loader.partition(".")[0])
    if found is None or found.origin is None:
        raise MlflowException.invalid_parameter_value(f"the model's loader {loader} is not installed here")
    origin = Path(found.origin)
    return origin.parent if found.submodule_search_locations else origin


def requirements(loader: str) -> list[str]:
    """Return what the package of a loader needs, in the versions that are installed; the package itself goes along.

    That is what its distribution requires: of ours the extra ``depth`` alone, which is all that `depth_net` imports.
    """
    package = loader.partition(".")[0]
    owner, extra = (_OURS, "depth") if package == "depth_net" else (_distribution(package), "")
    found = []
    for text in (metadata.requires(owner) or ()) if owner is not None else ():
        requirement = Requirement(text)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if wanted and not (extra and (requirement.marker is None or "extra" not in str(requirement.marker))):
            found.append(f"{requirement.name}=={metadata.version(requirement.name).partition('+')[0]}")
    return found


def _distribution(package: str) -> str | None:
    return next(iter(metadata.packages_distributions().get(package, ())), None)
