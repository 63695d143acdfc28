"""Sections of the spec for the actions after training, and the spec of ``convert``."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from depth_net.config.choices import (
    Alignment,
    ColourMap,
    EvalCrop,
    ExportFormat,
    Output,
    Overflow,
    Protocol,
    Resolution,
)
from depth_net.config.fields import FreeGroup, Group, Many, Maybe, Real, Section, Text, Whole, is_own, setting

_SPLIT_DECIDES: Final = "size and batch come from the split's own section"
_EXPORTS_ON_CPU: Final = "the export runs on the processor, with a GPU and without; the file is the same"
_DEPLOY: Final = "read by the deploy container"


class EvaluateConfig(Section):
    """Section ``evaluate``."""

    num_gpus: Whole = setting(1, "GPUs.", ge=1)
    gpu_ids: Many[Annotated[Whole, Field(ge=0)]] = setting((0,), "Indices of the GPUs.")
    num_nodes: Whole = setting(1, "Machines.", ge=1)
    checkpoint: Maybe[Text] = setting(None, "Checkpoint to evaluate; required by this action.")
    trt_engine: Maybe[Text] = setting(None, "TensorRT engine.", inert=_DEPLOY)
    results_dir: Maybe[Text] = setting(None, "Folder of this action; default <results_dir>/evaluate.")
    batch_size: Whole = setting(-1, "Batch size.", inert=_SPLIT_DECIDES)
    input_width: Maybe[Whole] = setting(None, "Width.", inert=_SPLIT_DECIDES)
    input_height: Maybe[Whole] = setting(None, "Height.", inert=_SPLIT_DECIDES)
    native_padded: bool = setting(False, "Stereo padding.", inert="read by stereo models only")
    protocol: Maybe[Protocol] = setting(
        None, "Crop, depth range, alignment and averaging as published; the keys below replace parts of it.", own=True
    )
    eval_crop: Maybe[EvalCrop] = setting(None, "Box outside of which nothing counts.", own=True)
    min_depth: Maybe[Annotated[Real, Field(ge=0.0)]] = setting(
        None, "Smaller depths do not count, in metres.", own=True
    )
    max_depth: Maybe[Annotated[Real, Field(gt=0.0)]] = setting(None, "Larger depths do not count, in metres.", own=True)
    alignment: Maybe[Alignment] = setting(
        None, "Fit to the ground truth per image; unset means least_squares for relative models, else none.", own=True
    )
    flip_average: bool = setting(False, "Average with the prediction of the mirrored image.", own=True)
    ranges: Many[Annotated[Real, Field(ge=0.0)]] = setting(
        (), "Edges of the ranges of distance in the table, in metres; unset means 1, 2, 3, 5, 10, 20, ...", own=True
    )

    @property
    def asks_for_own_rules(self) -> bool:
        """Whether anything but the rules of the training's validation is asked for."""
        fields = type(self).model_fields
        return any(getattr(self, key) != field.default for key, field in fields.items() if is_own(field))


class InferenceConfig(Section):
    """Section ``inference``."""

    num_gpus: Whole = setting(1, "GPUs.", ge=1)
    gpu_ids: Many[Annotated[Whole, Field(ge=0)]] = setting((0,), "Indices of the GPUs.")
    num_nodes: Whole = setting(1, "Machines.", ge=1)
    checkpoint: Maybe[Text] = setting(None, "Checkpoint to run; required by this action.")
    trt_engine: Maybe[Text] = setting(None, "TensorRT engine.", inert=_DEPLOY)
    results_dir: Maybe[Text] = setting(None, "Folder of this action; default <results_dir>/inference.")
    batch_size: Whole = setting(-1, "Batch size.", inert=_SPLIT_DECIDES)
    conf_threshold: Real = setting(0.5, "Confidence.", inert="depth maps have no confidence")
    input_width: Maybe[Whole] = setting(None, "Width.", inert=_SPLIT_DECIDES)
    input_height: Maybe[Whole] = setting(None, "Height.", inert=_SPLIT_DECIDES)
    save_raw_pfm: bool = setting(False, "Also write each prediction as PFM.")
    save_raw_npy: bool = setting(False, "Also write each prediction as NPY.")
    outputs: Many[Output] = setting(
        (), "Files per image: pictures, colour, depth_png, npy, pfm, exr, ply; unset means pictures.", own=True
    )
    depth_scale: Maybe[Text] = setting(
        None, "Metres per stored value of depth_png, a number or a name; unset means millimetres.", own=True
    )
    on_overflow: Maybe[Overflow] = setting(
        None, "Depth that 16 bits cannot hold: refuse the image, or clip it and count; unset means refuse.", own=True
    )
    colour_map: Maybe[ColourMap] = setting(None, "Colours of depth, near is warm; unset means spectral.", own=True)
    colour_range: Many[Real] = setting(
        (),
        "Smallest and largest value with a colour of its own, in metres or disparity; unset means of the image.",
        own=True,
    )
    intrinsics: Many[Real] = setting((), "fx, fy, cx, cy of the camera in pixels of the image, for ply.", own=True)
    field_of_view: Maybe[Annotated[Real, Field(gt=0.0, le=170.0)]] = setting(
        None, "Horizontal field of view in degrees, for ply, in place of intrinsics.", own=True
    )
    resolution: Maybe[Resolution] = setting(
        None, "Size that the model sees: fit to the crop, native, or tiles of it; unset means fit.", own=True
    )

    @property
    def files(self) -> frozenset[Output]:
        """What is written for each image."""
        raw = {Output.PFM: self.save_raw_pfm, Output.NPY: self.save_raw_npy}
        return frozenset((*(self.outputs or (Output.PICTURES,)), *(kind for kind, asked in raw.items() if asked)))


class ExportConfig(Section):
    """Section ``export``."""

    results_dir: Maybe[Text] = setting(None, "Folder of this action; default <results_dir>/export.")
    gpu_id: Whole = setting(0, "Index of the GPU.", ge=0, inert=_EXPORTS_ON_CPU)
    checkpoint: Maybe[Text] = setting(None, "Checkpoint to export; required by this action.")
    onnx_file: Maybe[Text] = setting(None, "ONNX file to write; default model.onnx in the results folder.")
    overwrite: bool = setting(False, "Replace what exists.")
    on_cpu: bool = setting(False, "Export without a GPU.", inert=_EXPORTS_ON_CPU)
    input_channel: Whole = setting(3, "Channels.", ge=3, le=3)
    input_width: Whole = setting(518, "Width of the input; a multiple of 14.", ge=14)
    input_height: Whole = setting(518, "Height of the input; a multiple of 14.", ge=14)
    opset_version: Whole = setting(17, "ONNX operator set.", ge=16)
    batch_size: Whole = setting(-1, "Fixed batch size; -1 leaves it open.", ge=-1)
    verbose: bool = setting(False, "Show the exporter's own messages and the graph it writes.")
    format: ExportFormat = setting(
        ExportFormat.ONNX, "onnx; or the weights alone, as a published file (pth) or as a folder (transformers)."
    )
    valid_iters: Whole = setting(22, "Refinements.", inert="read by stereo models only")
    dynamic_hw: bool = setting(
        False, "Write a second file, NAME_open.onnx, that takes any height and width; its output has the same."
    )


class QuantizeConfig(Section):
    """Section ``quantize``."""

    backend: Literal["torchao"] = setting("torchao", "Library.")
    mode: Literal["weight_only_ptq"] = setting("weight_only_ptq", "What is quantised.")
    algorithm: Text = setting("minmax", "Calibration.", inert="weight-only quantisation is not calibrated")
    layers: Many[FreeGroup] = setting((), "Rules: module_name pattern and weights.dtype; later rules win.")
    skip_names: Many[Text] = setting((), "Patterns of modules to leave alone.")
    model_path: Maybe[Text] = setting(None, "Checkpoint to quantise; required by this action.")
    results_dir: Maybe[Text] = setting(None, "Folder of this action; default <results_dir>/quantize.")
    backend_kwargs: FreeGroup = setting({}, "Extra arguments.", inert="torchao takes none here")
    device: Text = setting("cuda", "Device.", inert="weights are quantised on the processor; the file is the same")


class TensorrtConfig(Section):
    """Section ``gen_trt_engine.tensorrt``."""

    data_type: Text = setting("FP32", "Arithmetic.", inert=_DEPLOY)
    workspace_size: Whole = setting(1024, "Workspace.", inert=_DEPLOY)
    min_batch_size: Whole = setting(1, "Smallest batch.", inert=_DEPLOY)
    opt_batch_size: Whole = setting(1, "Usual batch.", inert=_DEPLOY)
    max_batch_size: Whole = setting(1, "Largest batch.", inert=_DEPLOY)
    layers_precision: Many[Text] = setting((), "Rules.", inert=_DEPLOY)


class EngineConfig(Section):
    """Section ``gen_trt_engine``; accepted, and run elsewhere."""

    results_dir: Maybe[Text] = setting(None, "Folder.", inert=_DEPLOY)
    gpu_id: Whole = setting(0, "GPU.", inert=_DEPLOY)
    onnx_file: Maybe[Text] = setting(None, "Model.", inert=_DEPLOY)
    trt_engine: Maybe[Text] = setting(None, "Engine to write.", inert=_DEPLOY)
    timing_cache: Maybe[Text] = setting(None, "Cache.", inert=_DEPLOY)
    batch_size: Whole = setting(-1, "Batch size.", inert=_DEPLOY)
    verbose: bool = setting(False, "Log more.", inert=_DEPLOY)
    tensorrt: Group[TensorrtConfig] = TensorrtConfig()
    min_height: Maybe[Whole] = setting(None, "Height.", inert=_DEPLOY)
    opt_height: Maybe[Whole] = setting(None, "Height.", inert=_DEPLOY)
    max_height: Maybe[Whole] = setting(None, "Height.", inert=_DEPLOY)
    min_width: Maybe[Whole] = setting(None, "Width.", inert=_DEPLOY)
    opt_width: Maybe[Whole] = setting(None, "Width.", inert=_DEPLOY)
    max_width: Maybe[Whole] = setting(None, "Width.", inert=_DEPLOY)


class ConvertConfig(Section):
    """The whole spec of ``convert``, which shares nothing with the others."""

    results_dir: Maybe[Text] = setting(None, "Folder to write the annotation files to; required.")
    data_root: Maybe[Text] = setting(None, "Folder that holds the folders of the scenes; required.")
    image_dir_pattern: Many[Text] = setting((), "Texts that the path of an image contains, all of them.")
    depth_dir_pattern: Many[Text] = setting((), "Replacements of image_dir_pattern that give the path of the depth.")
    right_dir_pattern: Many[Text] = setting((), "The same for right images.")
    nocc_dir_pattern: Many[Text] = setting((), "The same for occlusion masks.")
    image_extension: Text = setting("jpg", "Ending of images.")
    depth_extension: Text = setting("png", "Ending of depth files.")
    nocc_extension: Text = setting("png", "Ending of occlusion masks.")
    nocc_mask_dir_name: Maybe[Text] = setting(None, "Old key.", inert="the reference never reads it")
    split_ratio: Real = setting(0.0, "Share of the training split; 0 or 1 writes one test.txt.", ge=0.0, le=1.0)
    split_by: Literal["scene", "frame"] = setting(
        "scene", "scene keeps the images of one folder below data_root in one split; frame mixes them."
    )
    seed: Whole = setting(1234, "Seed of the shuffle.")
    overwrite: bool = setting(False, "Replace existing annotation files.")

    @property
    def output_folder(self) -> Path:
        """Where annotation files are written."""
        return Path(str(self.results_dir)).expanduser()

    @property
    def image_root(self) -> Path:
        """The folder that is searched."""
        return Path(str(self.data_root)).expanduser()
