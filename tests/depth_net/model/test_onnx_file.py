from __future__ import annotations

import json
from typing import TYPE_CHECKING

import onnx
import onnxruntime
import pytest
import torch
from torch.nn import functional

from depth_net.data.transforms import native_shape
from depth_net.errors import DepthNetError, SpecError
from depth_net.model.family import ModelType
from depth_net.model.native_size import restore_native_size
from depth_net.model.onnx_file import compare, compared_sizes, export_onnx, export_open_onnx
from tests.depth_net.model.tiny import make_model

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (42, 70)
NO_IMAGES = torch.empty(0, 3, *SIZE)


@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize("model_type", ModelType)
def test_the_file_agrees_with_the_model_at_every_batch_size(tmp_path: Path, opset: int, model_type: ModelType) -> None:
    model = make_model(model_type)
    path = tmp_path / "new folder" / "model.onnx"

    differences = export_onnx(
        model,
        path,
        torch.randn(2, 3, *SIZE),
        batch_size=None,
        opset=opset,
        metadata={"encoder": "vit_tiny", "max_depth": 10.0},
    )

    session = onnxruntime.InferenceSession(str(path))
    for batch in (1, 3, 5):
        images = torch.randn(batch, 3, *SIZE)
        with torch.inference_mode():
            expected = model(images)
        found = torch.from_numpy(session.run(["outputs"], {"images": images.numpy()})[0])
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    content = onnx.load(path)
    metadata = {entry.key: entry.value for entry in content.metadata_props}
    assert content.opset_import[0].version == opset
    axes = [axis.dim_param or axis.dim_value for axis in content.graph.output[0].type.tensor_type.shape.dim]
    assert axes == ["batch_size", *SIZE]
    assert metadata["encoder"] == "vit_tiny"
    assert float(metadata["max_abs_difference"]) == differences["max_abs_difference"] < 1e-3
    assert float(metadata["max_abs_difference_images"]) == differences["max_abs_difference_images"]
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("opset", [17, 20])
def test_a_file_of_open_size_agrees_with_the_model_at_every_size(tmp_path: Path, opset: int) -> None:
    model = make_model()

    by_size = export_open_onnx(model, tmp_path / "m.onnx", SIZE, batch_size=None, opset=opset, metadata={})

    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    for batch, height, width in ((1, 70, 70), (2, 42, 140), (3, 14, 14), (1, 154, 98), (2, 70, 42)):
        images = torch.randn(batch, 3, height, width)
        with torch.inference_mode():
            expected = model(images)
        found = torch.from_numpy(session.run(["outputs"], {"images": images.numpy()})[0])
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    graph = onnx.load(tmp_path / "m.onnx")
    axes = [axis.dim_param for axis in graph.graph.output[0].type.tensor_type.shape.dim]
    assert axes == ["batch_size", "height", "width"]
    assert [axis.dim_param for axis in graph.graph.input[0].type.tensor_type.shape.dim] == ["batch_size", "", *axes[1:]]
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    assert json.loads(metadata["max_abs_difference_by_size"]) == by_size
    assert list(by_size) == ["42x70", "42x42", "56x70", "28x42", "70x70", "46x67"]
    assert max(by_size.values()) < 1e-4


def test_a_file_of_open_size_returns_the_size_that_it_is_given(tmp_path: Path) -> None:
    model = make_model()
    export_open_onnx(model, tmp_path / "m.onnx", SIZE, batch_size=None, opset=17, metadata={})
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))

    for height, width in ((60, 84), (49, 63), (5, 21), (97, 7)):
        images = torch.randn(2, 3, height, width)
        found = torch.from_numpy(session.run(["outputs"], {"images": images.numpy()})[0])

        fitting = functional.interpolate(images, size=native_shape(height, width), mode="bicubic")
        with torch.inference_mode():
            expected = [restore_native_size(each, (height, width)) for each in model(fitting)]
        assert found.shape == (2, height, width)
        torch.testing.assert_close(found, torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_sizes_that_are_compared_have_several_shapes_and_the_learned_grid() -> None:
    assert compared_sizes((518, 518), 37) == ((518, 518), (518, 336), (770, 518), (28, 42), (522, 515))


def test_a_fixed_batch_size_is_written_into_the_file(tmp_path: Path) -> None:
    images = torch.randn(3, 3, *SIZE)

    differences = export_onnx(make_model(), tmp_path / "m.onnx", images, batch_size=2, opset=17, metadata={})

    graph = onnx.load(tmp_path / "m.onnx").graph
    assert [axis.dim_value for axis in graph.input[0].type.tensor_type.shape.dim] == [2, 3, *SIZE]
    assert differences["max_abs_difference_images"] < 1e-3


def test_a_file_of_other_weights_is_refused_and_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(make_model(), tmp_path / "m.onnx", NO_IMAGES, batch_size=None, opset=17, metadata={})
    other = make_model(seed=1)

    with pytest.raises(DepthNetError, match="outputs that differ from the checkpoint by up to"):
        compare(other, tmp_path / "m.onnx", [torch.randn(1, 3, *SIZE)])
    monkeypatch.setattr("depth_net.model.onnx_file.TOLERANCE", -1.0)
    with pytest.raises(DepthNetError, match="outputs that differ"):
        export_onnx(other, tmp_path / "draft.onnx", NO_IMAGES, batch_size=None, opset=17, metadata={})
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    ("size", "opset", "text"),
    [((544, 960), 17, "fix: use 546x966"), ((42, 42), 15, "expected 16 to 20"), ((42, 42), 21, "expected 16 to 20")],
)
def test_what_cannot_be_exported_is_refused_first(tmp_path: Path, size: tuple[int, int], opset: int, text: str) -> None:
    with pytest.raises(SpecError, match=text):
        export_onnx(
            make_model(), tmp_path / "m.onnx", torch.empty(0, 3, *size), batch_size=None, opset=opset, metadata={}
        )
