from __future__ import annotations

from pathlib import Path

import pytest

from depth_net.actions.gen_trt_engine import describe
from tests.depth_net.specs import write_spec


def test_the_container_sees_the_folders_of_spec_model_engine_and_results(tmp_path: Path) -> None:
    words = ["gen_trt_engine.onnx_file=/models/depth.onnx", "gen_trt_engine.trt_engine=/engines/depth.engine"]
    spec = write_spec(tmp_path)

    command = describe(spec, words).splitlines()[1]

    folders = (tmp_path, "/models", "/engines", tmp_path / "results")
    assert " ".join(f"-v {folder}:{folder}" for folder in folders) in command
    assert command.endswith(f"-deploy depth_net gen_trt_engine -e {spec} {' '.join(words)}")


@pytest.mark.parametrize("is_there", [True, False])
def test_the_export_is_named_only_where_its_file_is_missing(tmp_path: Path, is_there: bool) -> None:  # noqa: FBT001 - a case
    model = tmp_path / "depth.onnx"
    if is_there:
        model.touch()

    shown = describe(write_spec(tmp_path), [f"gen_trt_engine.onnx_file={model}", "export.checkpoint=best.pth"])

    assert (f"export.checkpoint=best.pth export.onnx_file={model}" in shown) is not is_there


def test_without_a_spec_the_form_of_the_command_is_reported() -> None:
    shown = describe(Path("/nowhere/my spec.yaml"), [])

    assert "-v /nowhere:/nowhere" in shown
    assert "-e '/nowhere/my spec.yaml'" in shown
    assert "export.checkpoint=MODEL.pth export.onnx_file=/nowhere/model.onnx" in shown
