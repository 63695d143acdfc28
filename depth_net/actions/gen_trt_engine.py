"""Print how to build a TensorRT engine, which needs the deploy container, because it has TensorRT."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from depth_net.spec import load_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from depth_net.config.experiment import ExperimentConfig

DEPLOY_IMAGE: Final = "nvcr.io/nvidia/tao/tao-toolkit:7.1.0-deploy"


def describe(spec: Path, overrides: Sequence[str]) -> str:
    """Return the command that builds the engine of a spec, and the one that writes the ONNX file if there is none.

    Args:
        spec: The spec; without such a file, the container sees its folder only.
        overrides: ``key=value`` arguments, passed on.

    Raises:
        SpecError: the spec cannot be read.
    """
    place = spec.absolute()
    config = load_spec(place, overrides) if place.is_file() else None
    folders = [place.parent, *(_folders(config) if config else ())]
    mounts = [word for folder in dict.fromkeys(folders) for word in ("-v", f"{folder}:{folder}")]
    action = ["depth_net", "gen_trt_engine", "-e", str(place), *overrides]
    command = shlex.join(["docker", "run", "--rm", "--gpus", "all", *mounts, DEPLOY_IMAGE, *action])
    text = f"gen_trt_engine runs in the deploy container, which has TensorRT:\n  {command}"
    model = _path(config.gen_trt_engine.onnx_file) if config else None
    if model is not None and model.is_file():
        return text
    words = [f"export.checkpoint={(config and config.export.checkpoint) or 'MODEL.pth'}"]
    words += [f"export.onnx_file={model or place.parent / 'model.onnx'}"]
    export = shlex.join(["depth_net", "export", "-e", str(place), *words])
    return f"{text}\nit reads the file that this writes:\n  {export}"


def _folders(config: ExperimentConfig) -> list[Path]:
    """Folders that the container reads and writes."""
    engine = config.gen_trt_engine
    files = [_path(name) for name in (engine.onnx_file, engine.trt_engine)]
    results = [_path(name) for name in (engine.results_dir, config.results_dir)]
    return [file.parent for file in files if file] + [folder for folder in results if folder]


def _path(name: str | None) -> Path | None:
    return Path(name).expanduser().absolute() if name else None
