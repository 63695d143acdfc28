from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import onnx
import pytest

from depth_net.actions import evaluate, export, quantize
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType
from tests.depth_net.actions.trained import load_trained, open_status
from tests.depth_net.specs import read_status

if TYPE_CHECKING:
    from pathlib import Path

SIZE = ("export.input_height=42", "export.input_width=56")


@pytest.mark.parametrize("model_type", ModelType)
def test_the_file_says_what_it_is(tmp_path: Path, model_type: ModelType) -> None:
    config = load_trained(tmp_path, "export", *SIZE, model_type=model_type)

    export.run(config, open_status(tmp_path))

    content = onnx.load(tmp_path / "results" / "export" / "model.onnx")
    metadata = {entry.key: entry.value for entry in content.metadata_props}
    assert metadata["model_type"] == model_type
    assert json.loads(metadata["max_depth"]) == (10.0 if model_type is ModelType.METRIC else None)
    assert json.loads(metadata["input_mean"]) == [0.485, 0.456, 0.406]
    assert (metadata["encoder"], metadata["input_channels"]) == ("vit_tiny", "RGB")
    assert float(metadata["max_abs_difference"]) < 1e-3
    assert float(metadata["max_abs_difference_images"]) < 1e-3


def test_the_largest_differences_are_reported_as_values(tmp_path: Path) -> None:
    export.run(load_trained(tmp_path, "export", *SIZE), open_status(tmp_path))

    assert {"max_abs_difference", "max_abs_difference_images"} <= read_status(tmp_path)[-1]["kpi"].keys()


def test_a_second_file_takes_any_height_and_width_where_it_is_asked_for(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "export", *SIZE, "export.dynamic_hw=true")

    export.run(config, open_status(tmp_path))

    folder = tmp_path / "results" / "export"
    assert sorted(file.name for file in folder.iterdir()) == ["model.onnx", "model_open.onnx"]
    assert read_status(tmp_path)[-1]["kpi"]["max_abs_difference_open"] < 1e-3
    (folder / "model.onnx").unlink()
    with pytest.raises(SpecError, match=r"model_open\.onnx"):
        export.run(config, open_status(tmp_path))


def test_without_images_only_random_input_is_compared(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "export", *SIZE, "dataset.infer_dataset.data_sources=[]")

    export.run(config, open_status(tmp_path))

    assert read_status(tmp_path)[-1]["kpi"].keys() == {"max_abs_difference"}


def test_an_image_that_cannot_be_read_leaves_no_file(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "export", *SIZE)
    for image in (tmp_path / "val").rglob("*.*g"):
        image.write_bytes(b"no image")

    with pytest.raises(DataError):
        export.run(config, open_status(tmp_path))
    assert not (tmp_path / "results" / "export" / "model.onnx").exists()


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "out" / "depth.onnx"
    target.parent.mkdir()
    target.write_bytes(b"precious")
    words = (*SIZE, f"export.onnx_file={target}")

    with pytest.raises(SpecError, match=r"set export\.overwrite=true"):
        export.run(load_trained(tmp_path, "export", *words), open_status(tmp_path))
    assert target.read_bytes() == b"precious"

    export.run(load_trained(tmp_path, "export", *words, "export.overwrite=true"), open_status(tmp_path))
    onnx.checker.check_model(target)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("export.opset_version=99", "opset_version: found 99"),
        ("export.input_width=960", "found 42x960; expected multiples of 14; fix: use 42x966"),
        ("export.onnx_file={folder}", "found a folder"),
    ],
)
def test_what_cannot_be_exported_is_reported_before_weights_are_read(tmp_path: Path, word: str, message: str) -> None:
    config = load_trained(tmp_path, "export", *SIZE, word.format(folder=tmp_path), "export.overwrite=true")
    (tmp_path / "checkpoint.pth").write_bytes(b"no checkpoint")

    with pytest.raises(SpecError, match=message):
        export.run(config, open_status(tmp_path))


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_checkpoint_is_not_exported(tmp_path: Path) -> None:
    quantize.run(load_trained(tmp_path, "quantize"), open_status(tmp_path))
    quantised = tmp_path / "results" / "quantize" / "quantized_model_torchao.pth"
    config = load_trained(tmp_path, "export", *SIZE, f"export.checkpoint={quantised}")

    with pytest.raises(SpecError, match="found quantised weights"):
        export.run(config, open_status(tmp_path))


@pytest.mark.parametrize("verbose", [True, False])
def test_the_exporter_shows_its_warnings_and_the_graph_if_verbose_asks_for_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], *, verbose: bool
) -> None:
    with warnings.catch_warnings(record=True) as warned:
        export.run(load_trained(tmp_path, "export", *SIZE, f"export.verbose={verbose}"), open_status(tmp_path))

    assert any(warning.category.__name__ == "TracerWarning" for warning in warned) == verbose
    assert ("onnx::Conv" in capfd.readouterr().out) == verbose


@pytest.mark.parametrize(("form", "name"), [("pth", "model.pth"), ("transformers", "transformers")])
def test_weights_are_exported_as_others_publish_them(tmp_path: Path, form: str, name: str) -> None:
    words = (f"export.format={form}", *SIZE)
    export.run(load_trained(tmp_path, "export", *words), open_status(tmp_path))
    exported = tmp_path / "results" / "export" / name

    evaluate.run(load_trained(tmp_path, "evaluate"), open_status(tmp_path / "own"))
    evaluate.run(
        load_trained(tmp_path, "evaluate", f"evaluate.checkpoint={exported}"), open_status(tmp_path / "exported")
    )

    assert read_status(tmp_path / "own")[-1]["kpi"] == read_status(tmp_path / "exported")[-1]["kpi"]
    with pytest.raises(SpecError, match=r"export\.results_dir: found an existing"):
        export.run(load_trained(tmp_path, "export", *words), open_status(tmp_path))
    export.run(load_trained(tmp_path, "export", *words, "export.overwrite=true"), open_status(tmp_path))
