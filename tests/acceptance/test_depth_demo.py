"""The main job on real input: the demo study with the real trainer, made short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import Done, automl

if TYPE_CHECKING:
    from _pytest.tmpdir import TempPathFactory

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def results(tmp_path_factory: TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def tuned(results: Path) -> Done:
    return automl("run", "--trials", "2", "--set", "train.num_epochs=3", "--json", results=results)


def test_the_demo_trains_and_beats_a_constant_prediction(tuned: Done) -> None:
    assert tuned.status == 0, tuned.err
    best = tuned.document["best"]

    assert best["values"]["val/d1"] > best["values"]["val/d1_constant"] + 0.1
    assert [trial["state"] for trial in tuned.document["trials"]] == ["COMPLETED"] * 2


def test_the_best_checkpoint_is_that_of_the_best_epoch(tuned: Done) -> None:
    best = tuned.document["best"]
    file = Path(tuned.document["study_dir"]) / best["checkpoint"]

    assert file.is_file()
    assert f"model_epoch_{best['epoch']:03d}_" in file.resolve().name


@pytest.mark.slow
def test_a_real_divergence_is_ended_at_once_and_named(tuned: Done, results: Path) -> None:
    assert tuned.status == 0  # the data are there

    done = automl(
        "run", "--policy", "off", "--set", "+train.optim.lr=100", "--set", "train.num_epochs=3", results=results
    )

    assert done.status == 5, done.err
    assert "diverged" in done.err
    assert "train_loss" in done.err or "training loss" in done.err


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
def test_the_champion_predicts_the_same_by_pyfunc_by_inference_and_as_onnx(tuned: Done, results: Path) -> None:
    import cv2  # noqa: PLC0415 - heavy, only here
    import mlflow  # noqa: PLC0415 - heavy, only here
    import numpy as np  # noqa: PLC0415 - only here
    import onnxruntime  # noqa: PLC0415 - heavy, only here

    study, record = tuned.document["study_dir"], tuned.document["mlflow"]
    inferred = automl("infer", study, "--set", "inference.save_raw_npy=true", "--json", results=results)
    exported = automl("export", study, "--json", results=results)
    assert (inferred.status, exported.status) == (0, 0), inferred.err + exported.err
    array = next(Path(study, file) for file in inferred.document["files"] if file.endswith(".npy"))
    image = cv2.imread(str(source_of(array)), cv2.IMREAD_COLOR_RGB)
    assert image is not None

    mlflow.set_tracking_uri(record["tracking_uri"])
    depth = mlflow.pyfunc.load_model(f"models:/{record['experiment']}@champion").predict(image)

    np.testing.assert_allclose(depth, np.load(array).squeeze(), atol=1e-4)
    assert exported.document["values"]["max_abs_difference_images"] < 1e-3
    (file,) = (Path(study, file) for file in exported.document["files"] if file.endswith(".onnx"))
    session = onnxruntime.InferenceSession(str(file))
    height, width = session.get_inputs()[0].shape[2:]
    pixels = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    ready = ((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32).transpose(2, 0, 1)[None]
    (predicted,) = session.run(None, {"images": ready})
    # The file's input is a square, the images are not: near, not equal.
    assert np.median(np.abs(predicted.squeeze() - cv2.resize(depth, (width, height)))) < 0.3


def source_of(array: Path) -> Path:
    """Return the image of a raw prediction, which lies below the results under its whole path."""
    inside = array.parts[array.parts.index("inference_npy") + 1 :]
    return Path("/", *inside).with_suffix(".jpg")


@pytest.mark.slow
def test_the_relative_demo_learns(tuned: Done, results: Path) -> None:
    assert tuned.status == 0  # the data are there

    done = automl("run", "depth_net_mono/relative", "--policy", "off", "--json", results=results)

    assert done.status == 0, done.err
    values = done.document["best"]["values"]
    assert values["val/d1"] > values["val/d1_constant"] + 0.2
