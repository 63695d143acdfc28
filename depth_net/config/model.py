"""Section ``model`` of the spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from depth_net.config.choices import ConvolutionInit, Encoder
from depth_net.config.fields import section, setting
from depth_net.model.family import ModelType

_STEREO: Final = "read by stereo models only"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonoBackboneConfig:
    """The encoder's own weights."""

    pretrained_path: str | None = setting(None, "File with weights of the encoder; loaded before any full checkpoint.")
    use_bn: bool = setting(False, "Batch normalisation in the head; not offered.")
    use_clstoken: bool = setting(False, "Feed the class token to the head; not offered.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StereoBackboneConfig:
    """Accepted so that specs of the unified tool load; never read."""

    depth_anything_v2_pretrained_path: str | None = setting(None, "Weights.", inert=_STEREO)
    edgenext_pretrained_path: str | None = setting(None, "Weights.", inert=_STEREO)
    use_bn: bool = setting(False, "Batch normalisation.", inert=_STEREO)
    use_clstoken: bool = setting(False, "Class token.", inert=_STEREO)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Family, size and starting weights of the model."""

    model_type: ModelType = setting(
        ModelType.METRIC, "Relative predicts disparity up to scale and shift; Metric metres."
    )
    encoder: Encoder = setting(Encoder.LARGE, "Size of the vision transformer.")
    convolution_init: ConvolutionInit = setting(
        ConvolutionInit.PYTORCH, "Initialisation of convolutions that no checkpoint fills."
    )
    mono_backbone: MonoBackboneConfig = section(MonoBackboneConfig(), "The encoder's own weights.")
    stereo_backbone: StereoBackboneConfig = section(StereoBackboneConfig(), "Stereo models only.")
    hidden_dims: tuple[int, ...] = setting((128, 128, 128), "Hidden sizes.", inert=_STEREO)
    corr_radius: int = setting(4, "Correlation radius.", inert=_STEREO)
    cv_group: int = setting(8, "Groups of the cost volume.", inert=_STEREO)
    train_iters: int = setting(22, "Refinements.", inert=_STEREO)
    valid_iters: int = setting(22, "Refinements.", inert=_STEREO)
    volume_dim: int = setting(32, "Size of the cost volume.", inert=_STEREO)
    low_memory: int = setting(0, "Memory saving level.", inert=_STEREO)
    mixed_precision: bool = setting(False, "Mixed precision of stereo models.", inert=_STEREO)
    n_gru_layers: int = setting(3, "Recurrent layers.", inert=_STEREO)
    corr_levels: int = setting(2, "Correlation levels.", inert=_STEREO)
    n_downsample: int = setting(2, "Downsampling.", inert=_STEREO)
    max_disparity: int = setting(416, "Largest disparity.", inert=_STEREO)
