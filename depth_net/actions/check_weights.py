"""What `depth_net check` says of the weights that training starts from; no file is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from depth_net.actions.findings import Finding, Severity
from depth_net.config.choices import Encoder
from depth_net.model.published_names import doubts_of_start

if TYPE_CHECKING:
    from depth_net.config.experiment import ExperimentConfig


def weights_findings(config: ExperimentConfig) -> list[Finding]:
    """Return a warning for a start from random weights, and for each contradiction of a file's name and the spec."""
    train, model = config.train, config.model
    if train.resume_training_checkpoint_path:
        return []
    fix = "correct the spec or the path, or keep it knowingly"
    findings = [
        _warning(doubt, "weights of the spec's encoder, family and range", fix) for doubt in doubts_of_start(config)
    ]
    if not (train.pretrained_model_path or model.mono_backbone.pretrained_path):
        found = "the model starts from random weights: no pretrained path is set"
        expected = "published weights, or a DINOv2 backbone"
        fix = "set train.pretrained_model_path, or model.mono_backbone.pretrained_path for an encoder alone"
        if model.encoder is Encoder.TINY:  # no weights are published for it
            fix = "keep it for a demonstration; for a task of your own choose vits and set train.pretrained_model_path"
        findings.append(_warning(found, expected, fix))
    return findings


def _warning(found: str, expected: str, fix: str) -> Finding:
    return Finding(severity=Severity.WARNING, where="weights", found=found, expected=expected, fix=fix)
