"""Enumerations of the values that keys of a spec accept."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

ConvolutionInit: TypeAlias = Literal["pytorch", "transformers"]
"""How convolutions that no checkpoint fills are initialised."""


RelativeLoss: TypeAlias = Literal["least_squares", "normalized_l1"]
"""Loss of a relative model: after the best scale and shift in least squares, with a gradient term, as the container
trains; or the published one, each map normalised by its median and mean absolute deviation."""


class Encoder(StrEnum):
    """Size of the vision transformer."""

    TINY = "vit_tiny"
    """Ours, for CPUs and tests; no public weights."""
    SMALL = "vits"
    BASE = "vitb"
    LARGE = "vitl"
    GIANT = "vitg"


class Scheduler(StrEnum):
    """Learning-rate schedules; all advance once per optimiser step."""

    MULTI_STEP = "MultiStepLR"
    STEP = "StepLR"
    LAMBDA = "LambdaLR"
    POLYNOMIAL = "PolynomialLR"
    ONE_CYCLE = "OneCycleLR"
    COSINE = "CosineAnnealingLR"


class Precision(StrEnum):
    """Arithmetic of the model; losses and metrics are always computed in 32 bits."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class Strategy(StrEnum):
    """How several devices share the work."""

    DDP = "ddp"
    FSDP = "fsdp"


class IntervalUnit(StrEnum):
    """What ``train.checkpoint_interval`` counts."""

    EPOCH = "epoch"
    STEP = "step"


class ResumeMode(StrEnum):
    """What to do when the results folder already has a checkpoint."""

    AUTO = "auto"
    NEVER = "never"


class Switch(StrEnum):
    """Whether something is used; ``auto`` decides by what is measured to pay."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class DatasetFamily(StrEnum):
    """Accepted values of ``dataset.dataset_name``."""

    MONO = "MonoDataset"
    STEREO = "StereoDataset"
    """Default of the reference and of a template of the deploy container. Refused by actions that read data."""


class DepthKind(StrEnum):
    """What the numbers of ground truth are."""

    DEPTH = "depth"
    DISPARITY = "disparity"
    INVERSE_DEPTH = "inverse_depth"


class EvalCrop(StrEnum):
    """Boxes outside of which ground truth does not count."""

    NONE = "none"
    EIGEN = "eigen"
    """Of KITTI, after Eigen et al.; beside a class of NYU Depth V2, the box of that data set."""
    GARG = "garg"
    """Of KITTI, after Garg et al."""
    NYU = "nyu"
    """Of NYU Depth V2, after Eigen et al."""


class Protocol(StrEnum):
    """Published ways to evaluate; `depth_net.protocols` has what each of them means."""

    NYU = "nyu"
    KITTI = "kitti"
    DA2 = "da2"


class Alignment(StrEnum):
    """What is fitted to the ground truth of each image before it is compared."""

    NONE = "none"
    MEDIAN = "median"
    """A factor: both depth maps get the same median."""
    LEAST_SQUARES = "least_squares"
    """Scale and shift, in disparity for a relative model and in depth for a metric one."""


class FolderPart(StrEnum):
    """Which scenes of a folder a split takes."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class SplitBy(StrEnum):
    """What is divided into training and validation."""

    SCENE = "scene"
    FRAME = "frame"


class ColourMap(StrEnum):
    """Colours of depth; near is warm, or bright where a map has no warm colours."""

    SPECTRAL = "spectral"
    TURBO = "turbo"
    MAGMA = "magma"
    INFERNO = "inferno"
    PLASMA = "plasma"
    VIRIDIS = "viridis"
    GREY = "grey"


class Output(StrEnum):
    """Files that inference writes for each image."""

    PICTURES = "pictures"
    """Image, ground truth and prediction side by side."""
    COLOUR = "colour"
    """The map alone, with a scale."""
    DEPTH_PNG = "depth_png"
    """16 bits, 0 is unknown."""
    NPY = "npy"
    PFM = "pfm"
    EXR = "exr"
    PLY = "ply"
    """A cloud of coloured points."""


class Overflow(StrEnum):
    """What happens to depth that 16 bits cannot hold."""

    REFUSE = "refuse"
    CLIP = "clip"


class Resolution(StrEnum):
    """The size at which the model sees an image."""

    FIT = "fit"
    """That of the validation: it covers the crop."""
    NATIVE = "native"
    """That of the image."""
    TILES = "tiles"
    """Overlapping parts of the image, fitted to the prediction of the whole."""


class ExportFormat(StrEnum):
    """Formats of an exported model."""

    ONNX = "onnx"
    PTH = "pth"
    """The file that Depth Anything V2 is published as."""
    TRANSFORMERS = "transformers"
    """A folder that transformers loads."""
