"""The whole spec, and where an action writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from depth_net.config.actions import EngineConfig, EvaluateConfig, ExportConfig, InferenceConfig, QuantizeConfig
from depth_net.config.dataset import DatasetConfig
from depth_net.config.fields import section, setting
from depth_net.config.model import ModelConfig
from depth_net.config.train import TrainConfig
from depth_net.errors import SpecError

_TRACKER: Final = "this trainer reports by files; the orchestrator records them"


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbConfig:
    """Accepted so that specs of the reference load; never read."""

    enable: bool = setting(True, "Report to Weights and Biases.", inert=_TRACKER)
    project: str = setting("TAO Toolkit", "Project.", inert=_TRACKER)
    entity: str | None = setting(None, "Entity.", inert=_TRACKER)
    group: str | None = setting(None, "Group.", inert=_TRACKER)
    tags: tuple[str, ...] = setting(("tao-toolkit",), "Tags.", inert=_TRACKER)
    reinit: bool = setting(False, "Start anew.", inert=_TRACKER)
    sync_tensorboard: bool = setting(False, "TensorBoard.", inert=_TRACKER)
    save_code: bool = setting(False, "Save code.", inert=_TRACKER)
    name: str = setting("TAO Toolkit Training", "Run name.", inert=_TRACKER)
    run_id: str | None = setting(None, "Run.", inert=_TRACKER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentConfig:
    """One spec file with every default filled in."""

    model_name: str | None = setting("depth_net", "Free text.", inert="a label")
    encryption_key: str | None = setting(None, "Key.", inert="checkpoints are not encrypted")
    results_dir: str | None = setting(
        None, "Folder of all results; each action writes to a folder of its own name in it."
    )
    wandb: WandbConfig = section(WandbConfig(), "Not read.")
    dataset: DatasetConfig = section(DatasetConfig(), "Data.")
    model: ModelConfig = section(ModelConfig(), "Model.")
    train: TrainConfig = section(TrainConfig(), "Training.")
    evaluate: EvaluateConfig = section(EvaluateConfig(), "Evaluation.")
    inference: InferenceConfig = section(InferenceConfig(), "Inference.")
    export: ExportConfig = section(ExportConfig(), "Export.")
    quantize: QuantizeConfig = section(QuantizeConfig(), "Quantisation.")
    gen_trt_engine: EngineConfig = section(EngineConfig(), "TensorRT engine.")

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
