"""A model in the published formats: the file of Depth Anything V2, or a folder that transformers loads.

`depth_net.model.weights` reads both.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from depth_net.errors import SpecError
from depth_net.model.encoders import PATCH
from depth_net.model.keys import HEAD_PREFIX, METRIC_HEAD_PREFIX, TransformersNames, to_transformers_keys
from depth_net.model.network import configure
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from depth_net.model.depth_anything import DepthAnything

_BICUBIC = 3
"""Pillow's number, which image processors store."""


def write_published_file(model: DepthAnything, path: Path) -> None:
    """Write the weights under the published names, ``pretrained.*`` and ``depth_head.*`` in both families."""
    state = {
        name.replace(METRIC_HEAD_PREFIX, HEAD_PREFIX, 1) if name.startswith(METRIC_HEAD_PREFIX) else name: tensor
        for name, tensor in model.state_dict().items()
    }
    with whole(path) as unfinished:
        torch.save(state, unfinished)


def write_transformers_folder(
    model: DepthAnything, folder: Path, *, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]
) -> None:
    """Write ``config.json``, ``model.safetensors`` and ``preprocessor_config.json``; other files of the folder stay.

    transformers resamples position embeddings by another rule: its predictions are those of this model at the size of
    the learned grid (518x518 for the published encoders) and differ a little at others.

    Args:
        model: Its weights are written under the names that published folders have, which old and new versions read.
        folder: Where to; its parents are created.
        size: Height and width that an image covers once it is resized.
        mean: Of red, green and blue in 0..1.
        std: Their standard deviation.

    Raises:
        SpecError: the depth range does not end at a whole metre; transformers accepts no others.
    """
    from safetensors.torch import save_file  # noqa: PLC0415  # only this format needs the library

    description = _describe(model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export_") as place:
        draft = Path(place) / folder.name
        draft.mkdir(mode=0o755)
        state = to_transformers_keys(model.state_dict(), TransformersNames.CLASSIC)
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
        save_file(plain, draft / "model.safetensors", metadata={"format": "pt"})
        _write_json(draft / "config.json", description)
        _write_json(draft / "preprocessor_config.json", _describe_images(size, mean, std))
        if folder.is_symlink():
            raise SpecError(f"{folder}: found a link; expected a folder of its own; fix: remove the link")
        folder.mkdir(exist_ok=True)
        for file in draft.iterdir():
            file.replace(folder / file.name)


def _describe(model: DepthAnything) -> dict[str, object]:
    configuration: dict[str, object] = configure(model.shape).to_dict()
    depth = model.max_depth_m
    if depth is not None and not float(depth).is_integer():
        raise SpecError(
            f"dataset.max_depth: found {depth:g} m; expected whole metres, as transformers requires; fix: "
            "use export.format=pth or onnx"
        )
    family = {"depth_estimation_type": "relative" if depth is None else "metric"}
    factor = {"max_depth": 1 if depth is None else int(depth)}
    return {**configuration, **family, **factor, "architectures": ["DepthAnythingForDepthEstimation"]}


def _describe_images(size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> dict[str, object]:
    return {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": size[0], "width": size[1]},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": PATCH,
        "resample": _BICUBIC,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(mean),
        "image_std": list(std),
        "do_pad": False,
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
