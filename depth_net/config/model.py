"""Section ``model`` of the spec."""

from typing import Final

from depth_net.config.choices import ConvolutionInit, Encoder
from depth_net.config.fields import Group, Many, Maybe, Section, Text, Whole, setting
from depth_net.model.family import ModelType

_STEREO: Final = "read by stereo models only"


class MonoBackboneConfig(Section):
    """The encoder's own weights."""

    pretrained_path: Maybe[Text] = setting(None, "File with weights of the encoder; loaded before any full checkpoint.")
    use_bn: bool = setting(False, "Batch normalisation in the head; not offered.")
    use_clstoken: bool = setting(False, "Feed the class token to the head; not offered.")


class StereoBackboneConfig(Section):
    """Accepted so that specs of the unified tool load; never read."""

    depth_anything_v2_pretrained_path: Maybe[Text] = setting(None, "Weights.", inert=_STEREO)
    edgenext_pretrained_path: Maybe[Text] = setting(None, "Weights.", inert=_STEREO)
    use_bn: bool = setting(False, "Batch normalisation.", inert=_STEREO)
    use_clstoken: bool = setting(False, "Class token.", inert=_STEREO)


class ModelConfig(Section):
    """Family, size and starting weights of the model."""

    model_type: ModelType = setting(
        ModelType.METRIC, "Relative predicts disparity up to scale and shift; Metric metres."
    )
    encoder: Encoder = setting(Encoder.LARGE, "Size of the vision transformer.")
    convolution_init: ConvolutionInit = setting("pytorch", "Initialisation of convolutions that no checkpoint fills.")
    weights_key: Maybe[Text] = setting(
        None,
        "Weights to take from files that hold several sets, e.g. teacher or model_ema; not read for other files.",
        own=True,
    )
    mono_backbone: Group[MonoBackboneConfig] = MonoBackboneConfig()
    stereo_backbone: Group[StereoBackboneConfig] = StereoBackboneConfig()
    hidden_dims: Many[Whole] = setting((128, 128, 128), "Hidden sizes.", inert=_STEREO)
    corr_radius: Whole = setting(4, "Correlation radius.", inert=_STEREO)
    cv_group: Whole = setting(8, "Groups of the cost volume.", inert=_STEREO)
    train_iters: Whole = setting(22, "Refinements.", inert=_STEREO)
    valid_iters: Whole = setting(22, "Refinements.", inert=_STEREO)
    volume_dim: Whole = setting(32, "Size of the cost volume.", inert=_STEREO)
    low_memory: Whole = setting(0, "Memory saving level.", inert=_STEREO)
    mixed_precision: bool = setting(False, "Mixed precision of stereo models.", inert=_STEREO)
    n_gru_layers: Whole = setting(3, "Recurrent layers.", inert=_STEREO)
    corr_levels: Whole = setting(2, "Correlation levels.", inert=_STEREO)
    n_downsample: Whole = setting(2, "Downsampling.", inert=_STEREO)
    max_disparity: Whole = setting(416, "Largest disparity.", inert=_STEREO)
