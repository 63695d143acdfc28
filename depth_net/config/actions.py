"""Sections of the spec for the actions after training, and the spec of ``convert``."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the loader resolves these types at run time
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from depth_net.config.choices import ExportFormat, QuantizeBackend, QuantizeMode
from depth_net.config.fields import section, setting

_SPLIT_DECIDES: Final = "size and batch come from the split's own section"
_EXPORTS_ON_CPU: Final = "the export runs on the processor, with a GPU and without; the file is the same"
_DEPLOY: Final = "read by the deploy container"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """Section ``evaluate``."""

    num_gpus: int = setting(1, "GPUs.", minimum=1)
    gpu_ids: tuple[int, ...] = setting((0,), "Indices of the GPUs.", minimum=0)
    num_nodes: int = setting(1, "Machines.", minimum=1)
    checkpoint: str | None = setting(None, "Checkpoint to evaluate; required by this action.")
    trt_engine: str | None = setting(None, "TensorRT engine.", inert=_DEPLOY)
    results_dir: str | None = setting(None, "Folder of this action; default <results_dir>/evaluate.")
    batch_size: int = setting(-1, "Batch size.", inert=_SPLIT_DECIDES)
    input_width: int | None = setting(None, "Width.", inert=_SPLIT_DECIDES)
    input_height: int | None = setting(None, "Height.", inert=_SPLIT_DECIDES)
    native_padded: bool = setting(False, "Stereo padding.", inert="read by stereo models only")


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig:
    """Section ``inference``."""

    num_gpus: int = setting(1, "GPUs.", minimum=1)
    gpu_ids: tuple[int, ...] = setting((0,), "Indices of the GPUs.", minimum=0)
    num_nodes: int = setting(1, "Machines.", minimum=1)
    checkpoint: str | None = setting(None, "Checkpoint to run; required by this action.")
    trt_engine: str | None = setting(None, "TensorRT engine.", inert=_DEPLOY)
    results_dir: str | None = setting(None, "Folder of this action; default <results_dir>/inference.")
    batch_size: int = setting(-1, "Batch size.", inert=_SPLIT_DECIDES)
    conf_threshold: float = setting(0.5, "Confidence.", inert="depth maps have no confidence")
    input_width: int | None = setting(None, "Width.", inert=_SPLIT_DECIDES)
    input_height: int | None = setting(None, "Height.", inert=_SPLIT_DECIDES)
    save_raw_pfm: bool = setting(False, "Also write each prediction as PFM.")
    save_raw_npy: bool = setting(False, "Also write each prediction as NPY.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """Section ``export``."""

    results_dir: str | None = setting(None, "Folder of this action; default <results_dir>/export.")
    gpu_id: int = setting(0, "Index of the GPU.", minimum=0, inert=_EXPORTS_ON_CPU)
    checkpoint: str | None = setting(None, "Checkpoint to export; required by this action.")
    onnx_file: str | None = setting(None, "ONNX file to write; default model.onnx in the results folder.")
    overwrite: bool = setting(False, "Replace what exists.")
    on_cpu: bool = setting(False, "Export without a GPU.", inert=_EXPORTS_ON_CPU)
    input_channel: int = setting(3, "Channels.", minimum=3, maximum=3)
    input_width: int = setting(518, "Width of the input; a multiple of 14.", minimum=14)
    input_height: int = setting(518, "Height of the input; a multiple of 14.", minimum=14)
    opset_version: int = setting(17, "ONNX operator set.", minimum=16)
    batch_size: int = setting(-1, "Fixed batch size; -1 leaves it open.", minimum=-1)
    verbose: bool = setting(False, "Show the exporter's own messages and the graph it writes.")
    format: ExportFormat = setting(
        ExportFormat.ONNX, "onnx; or the weights alone, as a published file (pth) or as a folder (transformers)."
    )
    valid_iters: int = setting(22, "Refinements.", inert="read by stereo models only")
    dynamic_hw: bool = setting(False, "Open height and width.", inert="height and width are fixed, as in the reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeConfig:
    """Section ``quantize``."""

    backend: QuantizeBackend = setting(QuantizeBackend.TORCHAO, "Library.")
    mode: QuantizeMode = setting(QuantizeMode.WEIGHT_ONLY, "What is quantised.")
    algorithm: str = setting("minmax", "Calibration.", inert="weight-only quantisation is not calibrated")
    layers: tuple[Mapping[str, Any], ...] = setting(
        (), "Rules: module_name pattern and weights.dtype; later rules win."
    )
    skip_names: tuple[str, ...] = setting((), "Patterns of modules to leave alone.")
    model_path: str | None = setting(None, "Checkpoint to quantise; required by this action.")
    results_dir: str | None = setting(None, "Folder of this action; default <results_dir>/quantize.")
    backend_kwargs: Mapping[str, Any] = setting(
        MappingProxyType({}), "Extra arguments.", inert="torchao takes none here"
    )
    device: str = setting("cuda", "Device.", inert="weights are quantised on the processor; the file is the same")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorrtConfig:
    """Section ``gen_trt_engine.tensorrt``."""

    data_type: str = setting("FP32", "Arithmetic.", inert=_DEPLOY)
    workspace_size: int = setting(1024, "Workspace.", inert=_DEPLOY)
    min_batch_size: int = setting(1, "Smallest batch.", inert=_DEPLOY)
    opt_batch_size: int = setting(1, "Usual batch.", inert=_DEPLOY)
    max_batch_size: int = setting(1, "Largest batch.", inert=_DEPLOY)
    layers_precision: tuple[str, ...] = setting((), "Rules.", inert=_DEPLOY)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Section ``gen_trt_engine``; accepted, and run elsewhere."""

    results_dir: str | None = setting(None, "Folder.", inert=_DEPLOY)
    gpu_id: int = setting(0, "GPU.", inert=_DEPLOY)
    onnx_file: str | None = setting(None, "Model.", inert=_DEPLOY)
    trt_engine: str | None = setting(None, "Engine to write.", inert=_DEPLOY)
    timing_cache: str | None = setting(None, "Cache.", inert=_DEPLOY)
    batch_size: int = setting(-1, "Batch size.", inert=_DEPLOY)
    verbose: bool = setting(False, "Log more.", inert=_DEPLOY)
    tensorrt: TensorrtConfig = section(TensorrtConfig(), "Engine settings.")
    min_height: int | None = setting(None, "Height.", inert=_DEPLOY)
    opt_height: int | None = setting(None, "Height.", inert=_DEPLOY)
    max_height: int | None = setting(None, "Height.", inert=_DEPLOY)
    min_width: int | None = setting(None, "Width.", inert=_DEPLOY)
    opt_width: int | None = setting(None, "Width.", inert=_DEPLOY)
    max_width: int | None = setting(None, "Width.", inert=_DEPLOY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertConfig:
    """The whole spec of ``convert``, which stands alone."""

    results_dir: str | None = setting(None, "Folder to write the annotation files to; required.")
    data_root: str | None = setting(None, "Folder whose subfolders are searched; required.")
    image_dir_pattern: tuple[str, ...] = setting((), "Texts that the path of an image contains, all of them.")
    depth_dir_pattern: tuple[str, ...] = setting(
        (), "Replacements of image_dir_pattern that give the path of the depth."
    )
    right_dir_pattern: tuple[str, ...] = setting((), "The same for right images.")
    nocc_dir_pattern: tuple[str, ...] = setting((), "The same for occlusion masks.")
    image_extension: str = setting("jpg", "Ending of images.")
    depth_extension: str = setting("png", "Ending of depth files.")
    nocc_extension: str = setting("png", "Ending of occlusion masks.")
    nocc_mask_dir_name: str | None = setting(None, "Old key.", inert="the reference never reads it")
    split_ratio: float = setting(
        0.0, "Share of the training split; 0 or 1 writes one test.txt.", minimum=0.0, maximum=1.0
    )
    seed: int = setting(1234, "Seed of the shuffle.")
    overwrite: bool = setting(False, "Replace existing annotation files.")
