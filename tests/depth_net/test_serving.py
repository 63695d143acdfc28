"""The predictor gives what `depth_net inference` gives, and refuses what is no image."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from depth_net.actions import inference
from depth_net.data.annotations import read_annotations
from depth_net.data.readers import read_image
from depth_net.errors import DataError, WeightsError
from depth_net.model.family import ModelType
from depth_net.serving import DepthPredictor, load_predictor
from depth_net.spec import load_spec
from depth_net.status import StatusWriter
from tests.depth_net.model.tiny import make_model, save_like_lightning
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path


def write_model(folder: Path, model_type: ModelType = ModelType.METRIC) -> Path:
    """Write data, a spec and a checkpoint; return the folder that a predictor is loaded from."""
    spec = write_spec(folder, model_type=model_type.value)
    served = folder / "served"
    served.mkdir()
    shutil.copy(spec, served / "spec.yaml")
    save_like_lightning(served / "checkpoint.pth", make_model(model_type).state_dict())
    return served


@pytest.mark.parametrize("model_type", list(ModelType))
def test_a_prediction_equals_that_of_the_inference_action(tmp_path: Path, model_type: ModelType) -> None:
    served = write_model(tmp_path, model_type)
    checkpoint = str(served / "checkpoint.pth")
    overrides = [f"inference.checkpoint={checkpoint}", "inference.save_raw_npy=true"]
    config = load_spec(served / "spec.yaml", overrides, action="inference")
    inference.run(config, StatusWriter(tmp_path / "status.json"))
    expected = {file.stem: np.load(file) for file in tmp_path.rglob("*.npy")}

    predictor = load_predictor(served)

    images = [row.image for row in read_annotations(tmp_path / "val" / "list.txt")]
    assert len(images) == len(expected) == 3
    for image in images:
        found = predictor.predict(read_image(image))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[image.stem], atol=1e-6, rtol=1e-6)


def test_an_image_of_any_size_gets_a_map_of_its_size(tmp_path: Path) -> None:
    predictor = load_predictor(write_model(tmp_path))

    for shape in ((33, 91, 3), (1, 20, 20, 3)):
        image = np.full(shape, 128, dtype=np.uint8)
        depth = predictor.predict(image)
        assert depth.shape == shape[-3:-1]
        assert np.isfinite(depth).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), dtype=np.uint8), r"shape \(4, 4\)"),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), r"shape \(2, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), dtype=np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), dtype=np.float32), "found float32"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, image: object, message: str) -> None:
    predictor: DepthPredictor = load_predictor(write_model(tmp_path))

    with pytest.raises(DataError, match=message):
        predictor.predict(image)  # type: ignore[arg-type]  # on purpose


def test_a_folder_without_weights_says_what_it_lacks(tmp_path: Path) -> None:
    served = write_model(tmp_path)
    (served / "checkpoint.pth").unlink()

    with pytest.raises(WeightsError, match=r"no checkpoint\.\*"):
        load_predictor(served)
