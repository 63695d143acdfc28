"""A champion in the registry can be loaded by MLflow and predicts; it is registered once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from automl.tracking.mlflow.uri import default_tracking_uri
from depth_net.serving import load_predictor
from tests.depth_net.test_serving import write_model

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> tuple[MlflowClient, str, Path, dict[str, Any]]:
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
    register(client, run_id, request, root, "study-id")
    return client, run_id, root, request


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


def test_registering_the_same_champion_again_makes_no_second_version(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered

    register(client, run_id, request, root, "study-id")
    assert len(client.search_model_versions("name = 'depth_demo'")) == 1

    other = {**request, "tags": {**request["tags"], "automl.sha256": "ef" * 32}, "loader": None}
    register(client, run_id, other, root, "study-id")
    assert len(client.search_model_versions("name = 'depth_demo'")) == 2
    newest = client.get_model_version_by_alias("depth_demo", "champion")
    assert newest.tags["automl.sha256"] == "ef" * 32
    found = {item.path for item in client.list_artifacts(run_id, "champion/efefefefefef")}
    assert found == {"champion/efefefefefef/checkpoint.pth", "champion/efefefefefef/spec.yaml"}
    register(client, run_id, request, root, "study-id")
    assert client.get_model_version_by_alias("depth_demo", "champion").tags["automl.sha256"] == "cd" * 32


def test_a_checkpoint_that_is_gone_is_named(registered: tuple[MlflowClient, str, Path, dict[str, Any]]) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 # heavy

    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered
    gone = {**request, "files": {"checkpoint.pth": "nowhere.pth"}, "tags": {"automl.sha256": "00" * 32}}

    with pytest.raises(MlflowException, match=r"nowhere\.pth"):
        register(client, run_id, gone, root, "study-id")


def test_a_checkpoint_that_is_a_folder_is_recorded_whole(
    registered: tuple[MlflowClient, str, Path, dict[str, Any]],
) -> None:
    from automl.tracking.mlflow.registry import register  # noqa: PLC0415 # heavy

    client, run_id, root, request = registered
    (root / "epoch_1" / "deep").mkdir(parents=True)
    (root / "epoch_1" / "deep" / "weights.bin").write_bytes(b"abc")
    changes = {"files": {"checkpoint": "epoch_1"}, "tags": {"automl.sha256": "aa" * 32}, "loader": None}

    register(client, run_id, {**request, **changes}, root, "study-id")

    recorded = root / "artifacts" / run_id / "artifacts" / "champion" / ("a" * 12) / "checkpoint" / "deep"
    assert [(file.read_bytes(), file.is_symlink()) for file in recorded.iterdir()] == [(b"abc", False)]
