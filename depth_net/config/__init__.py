"""The spec as frozen dataclasses: one class per section, one declaration per key.

Names and defaults are those of the reference's experiment file, so that its specs load; keys of our own only add to it.
Reading a file is `depth_net.spec`; checks across keys too.
"""

from depth_net.config.actions import ConvertConfig, EvaluateConfig, ExportConfig, InferenceConfig, QuantizeConfig
from depth_net.config.choices import (
    CompileMode,
    ConvolutionInit,
    Encoder,
    IntervalUnit,
    Precision,
    ResumeMode,
    Scheduler,
    Strategy,
)
from depth_net.config.dataset import AugmentationConfig, DatasetConfig, DataSource, SplitConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.model import ModelConfig
from depth_net.config.train import OptimConfig, TrainConfig

__all__ = [
    "AugmentationConfig",
    "CompileMode",
    "ConvertConfig",
    "ConvolutionInit",
    "DataSource",
    "DatasetConfig",
    "Encoder",
    "EvaluateConfig",
    "ExperimentConfig",
    "ExportConfig",
    "InferenceConfig",
    "IntervalUnit",
    "ModelConfig",
    "OptimConfig",
    "Precision",
    "QuantizeConfig",
    "ResumeMode",
    "Scheduler",
    "SplitConfig",
    "Strategy",
    "TrainConfig",
]
