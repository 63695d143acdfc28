"""A champion in the registry can be loaded by MLflow and predicts; it is registered once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from automl.tracking.mlflow.environment import QUIET_ENVIRONMENT
from automl.tracking.mlflow.uri import default_tracking_uri
from depth_net.serving import load_predictor
from tests.automl.tracking.mlflow.servers import free_port, running, wait_until_up
from tests.depth_net.test_serving import write_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MlflowClient, str, Path, dict[str, Any]]]:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    root = tmp_path_factory.mktemp("study")
    served = write_model(root)
    uri = default_tracking_uri(root)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("demo", artifact_location=(root / "artifacts").as_uri())
    run_id = client.create_run(experiment).info.run_id
    request = {
        "name": "depth/demo",
        "files": {"checkpoint.pth": str(served / "checkpoint.pth"), "spec.yaml": "served/spec.yaml"},
        "tags": {"automl.sha256": "cd" * 32, "automl.trial": "0"},
        "network_arch": "depth_net_mono",
        "metadata": {"metric": "val/d1"},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)  # as the writer process has it
        register(client, run_id, request, root, "study-id")
        yield client, run_id, root, request


def test_the_champion_is_loaded_by_its_alias_and_predicts_depth(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    import mlflow  # noqa: PLC0415 # heavy

    _, _, root, _ = registered
    mlflow.set_tracking_uri(default_tracking_uri(root))

    model = mlflow.pyfunc.load_model("models:/depth_demo@champion")
    depth = model.predict(IMAGE)

    np.testing.assert_array_equal(depth, load_predictor(root / "served").predict(IMAGE))
    assert model.metadata.signature is not None
    assert model.metadata.saved_input_example_info is not None


def test_the_champion_is_a_logged_model_and_an_output_of_the_run(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    client, run_id, root, _ = registered

    version = client.get_model_version_by_alias("depth_demo", "champion")
    logged = client.get_logged_model(str(version.source).removeprefix("models:/"))
    outputs = client.get_run(run_id).outputs

    assert outputs is not None
    assert [output.model_id for output in outputs.model_outputs] == [logged.model_id]
    assert (str(logged.status), logged.source_run_id) == ("READY", run_id)
    assert logged.tags["automl.sha256"] == "cd" * 32
    folder = Path(logged.artifact_location.removeprefix("file://"))
    assert root in folder.parents
    assert {file.name for file in folder.iterdir()} >= {"MLmodel", "code", "data", "requirements.txt"}


@pytest.mark.slow
def test_the_environment_of_the_champion_needs_no_package_of_ours(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    import mlflow  # noqa: PLC0415 # heavy

    _, _, root, _ = registered
    mlflow.set_tracking_uri(default_tracking_uri(root))
    folder = Path(mlflow.artifacts.download_artifacts("models:/depth_demo@champion", dst_path=str(root / "copy")))

    needed = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert "torch==2.13.0" in needed
    assert all("==" in line and "automl" not in line and "+" not in line for line in needed)
    program = (
        "import sys; import mlflow; model = mlflow.pyfunc.load_model(sys.argv[1]); import depth_net;"
        "print(depth_net.__file__, 'automl' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, timeout=200)
    assert answer.stdout.split() == [str(folder / "code" / "depth_net" / "__init__.py"), "False"]


@pytest.mark.slow
def test_the_champion_is_served_and_predicts_as_the_trainer_does(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, _, root, _ = registered
    port = free_port()
    command = [sys.executable, "-P", "-m", "mlflow", "models", "serve", "-m", "models:/depth_demo@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    tracking = {"MLFLOW_TRACKING_URI": default_tracking_uri(root), "PATH": programs}
    environment = {**os.environ, **QUIET_ENVIRONMENT, **tracking}
    with running(command, environment, tmp_path / "serve.log") as server:
        wait_until_up(server, f"http://127.0.0.1:{port}/ping")
        body = json.dumps({"inputs": IMAGE.tolist()}).encode()
        request = Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=100) as answer:  # noqa: S310 # our own server
            depth = np.asarray(json.load(answer)["predictions"], dtype=np.float32)

    np.testing.assert_allclose(depth, load_predictor(root / "served").predict(IMAGE), rtol=1e-6)


def test_a_try_that_was_cut_off_leaves_no_second_logged_model(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered
    other = {**request, "tags": {**request["tags"], "automl.sha256": "99" * 32}}

    def fails(*_: object) -> None:
        raise OSError("no store")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_model_artifacts", fails)
        with pytest.raises(OSError, match="no store"):
            register(client, run_id, other, root, "study-id")
    register(client, run_id, other, root, "study-id")

    experiment = client.get_run(run_id).info.experiment_id
    assert len(client.search_logged_models([experiment], "name = 'champion-999999999999'")) == 1
    register(client, run_id, request, root, "study-id")


def test_registering_the_same_champion_again_makes_no_second_version(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered

    register(client, run_id, request, root, "study-id")
    before = len(client.search_model_versions("name = 'depth_demo'"))
    register(client, run_id, request, root, "study-id")
    assert len(client.search_model_versions("name = 'depth_demo'")) == before

    other = {**request, "tags": {**request["tags"], "automl.sha256": "ef" * 32}, "loader": None}
    assert "not the champion, which is version 1: " in register(client, run_id, other, root, "study-id")
    assert len(client.search_model_versions("name = 'depth_demo'")) == before + 1
    newest = client.get_model_version_by_alias("depth_demo", "latest")
    assert newest.tags["automl.sha256"] == "ef" * 32
    register(client, run_id, request, root, "study-id")
    assert client.get_model_version_by_alias("depth_demo", "champion").tags["automl.sha256"] == "cd" * 32


def test_a_checkpoint_that_is_gone_or_was_changed_is_named(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 # heavy

    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered
    gone = {**request, "files": {"checkpoint.pth": "nowhere.pth"}, "tags": {"automl.sha256": "00" * 32}}

    with pytest.raises(MlflowException, match=r"nowhere\.pth"):
        register(client, run_id, gone, root, "study-id")

    (checkpoint,) = (path for name, path in request["files"].items() if name.startswith("checkpoint"))
    changed = {**request, "sha256": {checkpoint: "00" * 32}, "tags": {"automl.sha256": "00" * 32}}
    with pytest.raises(MlflowException, match=r"changed before it could be registered: .*\.pth"):
        register(client, run_id, changed, root, "study-id")


def test_a_checkpoint_that_is_a_folder_is_recorded_whole(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered
    (root / "epoch_1" / "deep").mkdir(parents=True)
    (root / "epoch_1" / "deep" / "weights.bin").write_bytes(b"abc")
    changes = {"files": {"checkpoint": "epoch_1"}, "tags": {"automl.sha256": "aa" * 32}, "loader": None}

    register(client, run_id, {**request, **changes}, root, "study-id")

    recorded = folder_of(client, "latest") / "data" / "weights" / "checkpoint" / "deep"
    assert [(file.read_bytes(), file.is_symlink()) for file in recorded.iterdir()] == [(b"abc", False)]


def folder_of(client: MlflowClient, alias: str) -> Path:
    """Return the folder of the logged model that a version is."""
    version = client.get_model_version_by_alias("depth_demo", alias)
    logged = client.get_logged_model(str(version.source).removeprefix("models:/"))
    return Path(logged.artifact_location.removeprefix("file://"))


def test_a_model_without_a_loader_is_a_logged_model_that_says_it_cannot_be_served(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    import mlflow  # noqa: PLC0415 # heavy
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 # heavy

    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered
    plain = {**request, "tags": {"automl.sha256": "bb" * 32}, "loader": None}

    register(client, run_id, plain, root, "study-id")

    folder = folder_of(client, "latest")
    assert {file.name for file in (folder / "data" / "weights").iterdir()} == {"checkpoint.pth", "spec.yaml"}
    outputs = client.get_run(run_id).outputs
    assert outputs is not None
    assert folder.parent.name in {output.model_id for output in outputs.model_outputs}
    mlflow.set_tracking_uri(default_tracking_uri(root))
    assert mlflow.models.get_model_info("models:/depth_demo@latest").metadata == {"metric": "val/d1"}
    with pytest.raises(MlflowException, match='does not have the "python_function" flavor'):
        mlflow.pyfunc.load_model("models:/depth_demo@latest")
