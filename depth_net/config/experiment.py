"""The whole spec, and where an action writes."""

from pathlib import Path
from typing import Final

from depth_net.config.actions import EngineConfig, EvaluateConfig, ExportConfig, InferenceConfig, QuantizeConfig
from depth_net.config.dataset import DatasetConfig
from depth_net.config.fields import Group, Many, Maybe, Section, Text, setting
from depth_net.config.model import ModelConfig
from depth_net.config.train import TrainConfig
from depth_net.errors import SpecError

_TRACKER: Final = "this trainer reports by files; the orchestrator records them"


class WandbConfig(Section):
    """Accepted so that specs of the reference load; never read."""

    enable: bool = setting(True, "Report to Weights and Biases.", inert=_TRACKER)
    project: Text = setting("TAO Toolkit", "Project.", inert=_TRACKER)
    entity: Maybe[Text] = setting(None, "Entity.", inert=_TRACKER)
    group: Maybe[Text] = setting(None, "Group.", inert=_TRACKER)
    tags: Many[Text] = setting(("tao-toolkit",), "Tags.", inert=_TRACKER)
    reinit: bool = setting(False, "Start anew.", inert=_TRACKER)
    sync_tensorboard: bool = setting(False, "TensorBoard.", inert=_TRACKER)
    save_code: bool = setting(False, "Save code.", inert=_TRACKER)
    name: Text = setting("TAO Toolkit Training", "Run name.", inert=_TRACKER)
    run_id: Maybe[Text] = setting(None, "Run.", inert=_TRACKER)


class ExperimentConfig(Section):
    """One spec file with every default filled in."""

    model_name: Maybe[Text] = setting("depth_net", "Free text.", inert="a label")
    encryption_key: Maybe[Text] = setting(None, "Key.", inert="checkpoints are not encrypted")
    results_dir: Maybe[Text] = setting(
        None, "Folder of all results; each action writes to a folder of its own name in it."
    )
    wandb: Group[WandbConfig] = WandbConfig()
    dataset: Group[DatasetConfig] = DatasetConfig()
    model: Group[ModelConfig] = ModelConfig()
    train: Group[TrainConfig] = TrainConfig()
    evaluate: Group[EvaluateConfig] = EvaluateConfig()
    inference: Group[InferenceConfig] = InferenceConfig()
    export: Group[ExportConfig] = ExportConfig()
    quantize: Group[QuantizeConfig] = QuantizeConfig()
    gen_trt_engine: Group[EngineConfig] = EngineConfig()

    def results_directory(self, action: str) -> Path:
        """Return where ``action`` writes: ``<action>.results_dir``, else ``<results_dir>/<action>``.

        Args:
            action: train, evaluate, inference, export, quantize or gen_trt_engine.

        Raises:
            SpecError: both keys are empty.
        """
        own = getattr(self, action).results_dir
        if own:
            return Path(own).expanduser()
        if self.results_dir:
            return Path(self.results_dir).expanduser() / action
        raise SpecError(
            f"results_dir is empty, and so is {action}.results_dir; set results_dir to a folder to write to"
        )
