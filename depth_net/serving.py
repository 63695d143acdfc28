"""A trained checkpoint as a predictor: one RGB image in, one depth map of the same size out.

It is what MLflow's ``pyfunc`` flavour loads (by the name of this module and `_load_pyfunc`); MLflow itself is not
imported here, so the predictor also works without it. The result equals that of ``depth_net inference`` with the
sizes and the normalisation of the validation images: the ones under which the checkpoint was found to be good.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from depth_net.actions.prediction import choose_device
from depth_net.data.transforms import normalize_image, resize_image, resized_shape
from depth_net.errors import DataError, WeightsError
from depth_net.model.native_size import restore_native_size
from depth_net.model.restored import restore_model
from depth_net.spec import load_spec

if TYPE_CHECKING:
    import numpy.typing as npt

    from depth_net.config.experiment import ExperimentConfig
    from depth_net.data.readers import DepthArray, ImageArray
    from depth_net.model.depth_anything import DepthAnything

SPEC_NAME = "spec.yaml"
CHECKPOINT_STEM = "checkpoint"

_COLOURS = 3


class DepthPredictor:
    """Predicts the depth of one image after another.

    Args:
        model: In evaluation mode.
        config: The spec of its training.
        device: Where it runs.
    """

    def __init__(self, model: DepthAnything, config: ExperimentConfig, device: torch.device) -> None:
        self._model = model.to(device).eval()
        self._device = device
        augmentation = config.dataset.val_dataset.augmentation
        self._cover = (augmentation.crop_size[0], augmentation.crop_size[-1])
        self._mean = tuple(augmentation.input_mean)
        self._std = tuple(augmentation.input_std)

    @torch.inference_mode()
    def predict(self, image: npt.ArrayLike, params: dict[str, Any] | None = None) -> DepthArray:  # noqa: ARG002 # MLflow
        """Return the depth of an image: metres of a metric model, disparity up to scale and shift of a relative one.

        Args:
            image: RGB, values 0 to 255, shape (H, W, 3) or (1, H, W, 3).
            params: MLflow hands it over; there are none.

        Returns:
            float32, shape (H, W).

        Raises:
            DataError: not one RGB image.
        """
        pixels = _checked(image)
        height, width = pixels.shape[:2]
        rows, columns = resized_shape(height, width, self._cover)
        ready = normalize_image(resize_image(pixels, (rows, columns)), self._mean, self._std)
        predicted = self._model(torch.from_numpy(ready)[None].to(self._device))[0]
        depth = restore_native_size(predicted, (height, width))
        return np.asarray(depth.float().cpu().numpy(), dtype=np.float32)


def load_predictor(folder: Path) -> DepthPredictor:
    """Load a predictor from a folder with `spec.yaml` and ``checkpoint.<suffix>``.

    Raises:
        SpecError: the spec cannot be read.
        WeightsError: there is no checkpoint, or it does not fit the spec.
    """
    config = load_spec(folder / SPEC_NAME)
    found = sorted(folder.glob(f"{CHECKPOINT_STEM}*"))
    if not found:
        raise WeightsError(f"{folder}: found no {CHECKPOINT_STEM}.*; expected the weights beside {SPEC_NAME}")
    return DepthPredictor(restore_model(config, str(found[0])), config, choose_device(()))


def _load_pyfunc(path: str) -> DepthPredictor:
    """Load the model of an MLflow ``pyfunc`` folder; MLflow calls this by its name."""
    return load_predictor(Path(path))


def _checked(image: npt.ArrayLike) -> ImageArray:
    pixels = np.asarray(image)
    if pixels.ndim == _COLOURS + 1 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim != _COLOURS or pixels.shape[-1] != _COLOURS or 0 in pixels.shape:
        raise DataError(f"image: found shape {pixels.shape}, expected (H, W, 3): one RGB image")
    if pixels.dtype != np.uint8:
        raise DataError(f"image: found {pixels.dtype}, expected uint8 with values 0 to 255")
    return pixels
