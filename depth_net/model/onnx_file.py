"""A model as an ONNX file, for one size of images or any: written, described inside, and compared with the model.

The only door to onnx and onnxruntime. The file is written under a temporary folder and moved into place after the
comparison, so that a file under its final name is one that agrees with its checkpoint.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from depth_net.errors import DepthNetError, SpecError
from depth_net.model.encoders import PATCH
from depth_net.model.native_size import restore_native_sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor

    from depth_net.model.depth_anything import DepthAnything

logger = logging.getLogger(__name__)

INPUT, OUTPUT, BATCH = "images", "outputs", "batch_size"
OPEN_SIZE = ("height", "width")
"""Names of open axes: any number of pixels."""
_TRACED = (1, 3, 42, 70)
"""Sides of the traced input where they are open."""
OPSETS = range(16, 21)
"""Operator sets that the exporter writes."""
TOLERANCE = 1e-4
"""Largest accepted difference between the file and the model, as a share of the largest output."""


def export_onnx(  # noqa: PLR0913 - one keyword per setting of the export
    model: DepthAnything,
    path: Path,
    images: Tensor,
    *,
    batch_size: int | None,
    opset: int,
    metadata: Mapping[str, object],
    verbose: bool = False,
) -> dict[str, float]:
    """Write a model to an ONNX file and check the file against it, on random input and on images.

    Args:
        model: In evaluation mode, on the CPU, float32.
        path: File to write; its folder is created. An existing file is replaced.
        images: Normalised images, shape (N, 3, H, W); N may be 0. The file's input has their size, multiples of 14.
        batch_size: Fixed batch size, or None to leave it open.
        opset: ONNX operator set.
        metadata: Stored in the file; values that are not text as JSON.
        verbose: Show the exporter's warnings and the graph that it writes.

    Returns:
        The largest absolute differences between file and model, in metres or disparity: ``max_abs_difference`` of all
        inputs, and ``max_abs_difference_images`` where there are images. They are stored in the file too.

    Raises:
        SpecError: unsupported operator set or size.
        DepthNetError: the file and the model disagree.
    """
    size = (images.shape[-2], images.shape[-1])
    require_exportable(size, opset)
    with _draft_of(path) as draft:
        _write(model, draft, size=size, batch_size=batch_size, opset=opset, verbose=verbose)
        on_random = compare(model, draft, _random_batches(size, (1, 3) if batch_size is None else (batch_size,)))
        found = {"max_abs_difference": on_random}
        if len(images):
            on_images = compare(model, draft, _batches_of(images, batch_size or 1))
            found = {"max_abs_difference": max(on_random, on_images), "max_abs_difference_images": on_images}
        _describe(draft, {**metadata, **found})
    return found


def export_open_onnx(  # noqa: PLR0913 - one keyword per setting of the export
    model: DepthAnything,
    path: Path,
    size: tuple[int, int],
    *,
    batch_size: int | None,
    opset: int,
    metadata: Mapping[str, object],
    verbose: bool = False,
) -> dict[str, float]:
    """Write a model to an ONNX file that takes any height and width, and check the file at several sizes.

    The output has the size of the input; see `OpenSize`.

    Args:
        model: In evaluation mode, on the CPU, float32.
        path: File to write; its folder is created. An existing file is replaced.
        size: Height and width near which it is checked, multiples of 14; sizes that are none are checked too.
        batch_size: Fixed batch size, or None to leave it open.
        opset: ONNX operator set.
        metadata: Stored in the file, with the difference at each size.
        verbose: Show the exporter's warnings and the graph that it writes.

    Returns:
        Size as text -> the largest absolute difference between file and model, in metres or disparity.

    Raises:
        SpecError: unsupported operator set or size.
        DepthNetError: the file and the model disagree.
    """
    require_exportable(size, opset)
    with _draft_of(path) as draft:
        open_model = OpenSize(model).eval()
        _write(open_model, draft, size=OPEN_SIZE, batch_size=batch_size, opset=opset, verbose=verbose)
        sizes = compared_sizes(size, model.shape.grid)
        batches = [next(_random_batches(each, (batch_size or 1,))) for each in sizes]
        found = differences(open_model, draft, batches)
        by_size = {f"{height}x{width}": each for (height, width), each in zip(sizes, found, strict=True)}
        _describe(draft, {**metadata, "max_abs_difference": max(found), "max_abs_difference_by_size": by_size})
    return by_size


@contextmanager
def _draft_of(path: Path) -> Iterator[Path]:
    """Give a file to write in a folder of its own beside ``path``; it takes its place unless the block fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export_") as folder:
        yield Path(folder) / path.name
        for file in Path(folder).iterdir():  # weights beyond 2 GB lie in a second file
            shutil.move(file, path.parent / file.name)


def compared_sizes(size: tuple[int, int], grid: int) -> tuple[tuple[int, int], ...]:
    """Return sizes of several shapes near ``size``, and the one whose position embeddings are not resampled."""
    height, width = (side // PATCH for side in size)
    sides = ((height, width), (height, max(1, width * 2 // 3)), (height * 3 // 2, width), (2, 3), (grid, grid))
    whole = ((PATCH * rows, PATCH * columns) for rows, columns in sides)
    return tuple(dict.fromkeys((*whole, (size[0] + 4, size[1] - 3))))


class OpenSize(nn.Module):
    """A model as a tracer follows it for images of any size.

    Images whose sides are no multiples of 14 are resized to the nearest, bicubic, and their predictions back, as
    inference at native resolution does it, which resizes them before they are normalised.
    """

    def __init__(self, model: DepthAnything) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Predict maps of the size of the images."""
        rows, columns = (_patches(side) for side in images.shape[2:])
        size = (PATCH * rows, PATCH * columns)
        fitting = functional.interpolate(images, size=size, mode="bicubic", align_corners=False)
        embeddings = self.model.network.backbone.embeddings
        embeddings.has_open_size = True
        try:
            predicted = self.model.predict(fitting, rows, columns)
        finally:
            embeddings.has_open_size = False
        return restore_native_sizes(predicted, images.shape[2:])


def _patches(side: int) -> int:
    """Return ``max(1, round(side / PATCH))``, in whole numbers, which a tracer follows."""
    rounded = (side + PATCH // 2 - 1 + side // PATCH % 2) // PATCH
    return rounded + 1 // (rounded + 1)


def compare(model: nn.Module, path: Path, batches: Iterable[Tensor]) -> float:
    """Return the largest difference between file and model over all batches; see `differences`."""
    return max(differences(model, path, batches), default=0.0)


def differences(model: nn.Module, path: Path, batches: Iterable[Tensor]) -> list[float]:
    """Run batches through the file on the CPU and through the model.

    Args:
        model: In evaluation mode, on the CPU.
        path: The file.
        batches: Inputs, each of shape (B, 3, H, W).

    Returns:
        The largest absolute difference of each batch.

    Raises:
        DepthNetError: one exceeds `TOLERANCE` of the largest output.
    """
    import onnxruntime  # noqa: PLC0415  # only export needs it

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found_differences = []
    for images in batches:
        with torch.inference_mode():
            expected = model(images)
        found = torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])
        difference = float((found - expected).abs().max())
        batch = f"{len(images)} of {images.shape[2]}x{images.shape[3]}"
        logger.info("batch %s: largest difference %.2e, largest output %.3g", batch, difference, float(expected.max()))
        if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
            raise DepthNetError(
                f"{path.name}: found outputs that differ from the checkpoint by up to {difference:.3g} at batch "
                f"{batch}; expected at most {TOLERANCE:g} of the largest output; fix: try another export.opset_version"
            )
        found_differences.append(difference)
    return found_differences


def _random_batches(size: tuple[int, int], counts: tuple[int, ...]) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    for count in counts:
        yield torch.randn((count, 3, *size), generator=generator)


def _batches_of(images: Tensor, count: int) -> tuple[Tensor, ...]:
    """Return all images in batches of one size; the last one is filled up with images of the first."""
    padding = images[torch.arange(-len(images) % count) % len(images)]
    return tuple(torch.split(torch.cat([images, padding]), count))


def _write(
    model: nn.Module,
    path: Path,
    *,
    size: tuple[int, int] | tuple[str, str],
    batch_size: int | None,
    opset: int,
    verbose: bool,
) -> None:
    """Trace a model; a size in words is left open."""
    import onnx  # noqa: PLC0415  # only export needs it

    shape: tuple[int | str, ...] = (batch_size or BATCH, 3, *size)
    images = torch.zeros(
        [side if isinstance(side, int) else traced for side, traced in zip(shape, _TRACED, strict=True)]
    )
    of_input = {axis: side for axis, side in enumerate(shape) if isinstance(side, str)}
    of_output = {max(0, axis - 1): side for axis, side in of_input.items()}  # the output has no channels
    open_axes = {INPUT: of_input, OUTPUT: of_output} if of_input else {}
    with warnings.catch_warnings():
        # Tracing warns about every size that becomes a constant, which is what a fixed input size means, and that this
        # exporter is the older one. The newer one cannot write operator set 17 and took 19 s for the tiny model (1 s).
        warnings.simplefilter("default" if verbose else "ignore")
        torch.onnx.export(
            model,
            (images,),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes=open_axes,
            verbose=verbose,
        )
    _fix_shape(path, [batch_size or BATCH, *size])
    onnx.checker.check_model(path)


def _fix_shape(path: Path, shape: list[int | str]) -> None:
    """Write the shape of the output into the file; the exporter loses it where the batch is open."""
    import onnx  # noqa: PLC0415  # only export needs it

    content = onnx.load(path, load_external_data=False)
    kind = onnx.TensorProto.FLOAT
    content.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(OUTPUT, kind, shape))
    onnx.save(content, path)


def _describe(path: Path, metadata: Mapping[str, object]) -> None:
    import onnx  # noqa: PLC0415  # only export needs it

    content = onnx.load(path, load_external_data=False)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()}
    onnx.helper.set_model_props(content, texts)
    onnx.save(content, path)


def require_exportable(size: tuple[int, int], opset: int) -> None:
    """Refuse what cannot be exported, before any weights are read.

    Args:
        size: Height and width in pixels.
        opset: ONNX operator set.

    Raises:
        SpecError: unsupported operator set or size.
    """
    height, width = size
    if height % PATCH or width % PATCH:
        nearest = [round(side / PATCH) * PATCH for side in size]
        raise SpecError(
            f"export.input_height, export.input_width: found {height}x{width}; expected multiples of {PATCH}; fix: use "
            f"{nearest[0]}x{nearest[1]}"
        )
    if opset not in OPSETS:
        raise SpecError(
            f"export.opset_version: found {opset}; expected {OPSETS.start} to {OPSETS.stop - 1}; fix: use 17, which "
            "the deploy container reads"
        )
