"""Invented packages of kinds that the bank does not have, with what an expert would and would not search of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.automl.skill.packages import write_skill

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Invented:
    """A package.

    Attributes:
        leaves: Parameter path -> (default, keywords of its node); every one is marked.
        fixed: Parameter path -> value of parameters that are not marked.
        searched: Path -> what the range must be: (low, high, scale), or None for any.
        left_out: Path -> part of the reason.
        metric: What runs are evaluated by.
    """

    leaves: Mapping[str, tuple[Any, dict[str, Any]]]
    fixed: Mapping[str, Any]
    searched: Mapping[str, tuple[float, float, str] | None] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    metric: str = "val_mAP"

    def write(self, folder: Path) -> Path:
        """Write it as a skill."""
        properties: dict[str, Any] = {}
        template: dict[str, Any] = {}
        nodes = {path: (value, {**node, "automl_enabled": True}) for path, (value, node) in self.leaves.items()}
        nodes |= {path: (value, {}) for path, value in self.fixed.items()}
        for path, (value, node) in nodes.items():
            *blocks, name = path.split(".")
            place, values = properties, template
            for block in blocks:
                place = place.setdefault(block, {"type": "collection", "properties": {}})["properties"]
                values = values.setdefault(block, {})
            place[name] = {"type": _type(value), "default": value, **node}
            values[name] = value
        info = {
            "actions": {
                "train": {
                    "command": "thing train -e {config_path}",
                    "metric": self.metric,
                    "metric_direction": "maximize",
                }
            }
        }
        return write_skill(folder, info=info, schema={"properties": properties}, template=template)


def _type(value: object) -> str:
    kinds = {bool: "bool", int: "int", float: "float", str: "string", list: "list"}
    return kinds.get(type(value), "float")


INF = float("inf")
DETECTOR = Invented(
    leaves={
        "model.num_select": (300, {"minimum": 1, "maximum": 1000}),
        "model.post.nms_iou_threshold": (0.6, {"minimum": 0.0, "maximum": 1.0}),
        "model.rpn.nms_iou_threshold": (0.7, {"minimum": 0.0, "maximum": 1.0}),
        "model.score_threshold": (0.05, {"minimum": 0.0, "maximum": 1.0}),
        "model.matcher.cost_class": (2.0, {"minimum": 0.0}),
        "train.optim.base_lr": (1e-4, {"minimum": 0.0, "maximum": INF}),
        "train.optim.weight_decay": (0.0, {"minimum": 0.0}),
        "train.optim.momentum": (0.9, {"minimum": 0.0, "maximum": 2.0}),
        "train.optim.layer_decay": (0.8, {"minimum": 0.0, "maximum": 10.0}),
        "train.model_ema.decay": (0.9998, {"minimum": 0.0, "maximum": 1.0}),
        "train.clip_max_norm": (0.1, {"minimum": 0.0}),
        "train.lr_scheduler.gamma": (0.1, {"minimum": 0.0, "maximum": 1.0}),
        "train.lr_scheduler.patience": (3, {"minimum": 0}),
        "train.warmup_epochs": (5, {"minimum": 0, "maximum": 100}),
        "data.augmentation.mosaic_prob": (1.0, {"minimum": 0.0, "maximum": 1.0}),
        "data.augmentation.mixup.alpha": (0.2, {"minimum": 0.0, "maximum": 8.0}),
        "data.eval.image_size": (640, {"minimum": 32}),
        "data.train.image_size": (640, {"minimum": 32, "maximum": 4096}),
    },
    fixed={
        "train.optimizer": "adamw",
        "train.num_epochs": 12,
        "train.lr_scheduler.type": "MultiStepLR",
        "train.lr_scheduler.milestones": [11],
        "data.augmentation.use_mixup": False,
    },
    searched={
        "model.rpn.nms_iou_threshold": None,
        "model.matcher.cost_class": (0.5, 8.0, "log"),
        "train.optim.base_lr": (1e-6, 1e-3, "log"),
        "train.optim.weight_decay": (1e-6, 0.1, "log"),
        "train.optim.layer_decay": (0.5, 1.0, "linear"),
        "train.model_ema.decay": (0.998, 0.99998, "log of 1 - x"),
        "train.clip_max_norm": (0.01, 1.0, "log"),
        "train.lr_scheduler.gamma": (0.01, 0.8, "log"),
        "train.warmup_epochs": (1, 11, "linear"),
        "data.train.image_size": (320, 1280, "linear"),
    },
    left_out={
        "model.num_select": "after the network's output",
        "model.post.nms_iou_threshold": "after the network's output",
        "model.score_threshold": "after the network's output",
        "train.optim.momentum": "train.optimizer is adamw",
        "train.lr_scheduler.patience": "type is MultiStepLR",
        "data.augmentation.mixup.alpha": "use_mixup is False",
        "data.eval.image_size": "evaluation only",
    },
)
SEGMENTER = Invented(
    leaves={
        "solver.lr": (0.01, {"minimum": 0.0, "maximum": 1.0}),
        "solver.momentum": (0.9, {"minimum": 0.0, "maximum": 1.0}),
        "solver.power": (0.9, {"minimum": 0.0}),
        "solver.warmup_iters": (1500, {"minimum": 0, "maximum": 100000}),
        "model.decode_head.dropout_ratio": (0.1, {"minimum": 0.0, "maximum": 1.0}),
        "model.decode_head.channels": (512, {"minimum": 1}),
        "model.aux_head.loss_weight": (0.4, {"minimum": 0.0}),
        "model.backbone.window_size": (-1, {"minimum": -1, "maximum": 24}),
        "model.test_cfg.stride": (341, {"minimum": 1}),
        "data.train.crop_min": (256, {"minimum": 32, "maximum": 1024}),
        "data.train.max_size": (1333, {"minimum": 32}),
        "data.train.crop_max": (
            512,
            {"minimum": 32, "maximum": 2048, "math_cond": "> depends_on", "depends_on": "data.train.crop_min"},
        ),
    },
    fixed={"solver.optimizer.type": "SGD", "solver.max_epochs": 50, "solver.lr_policy": "poly"},
    searched={
        "solver.lr": (1e-4, 0.1, "log"),
        "solver.momentum": (0.5, 0.99, "log of 1 - x"),
        "solver.power": None,
        "solver.warmup_iters": (375, 6000, "linear"),
        "model.decode_head.dropout_ratio": (0.0, 0.5, "linear"),
        "model.decode_head.channels": (256, 1024, "linear"),
        "model.aux_head.loss_weight": (0.1, 1.6, "log"),
        "model.backbone.window_size": (1, 24, "linear"),
        "data.train.crop_min": (128, 512, "linear"),
        "data.train.crop_max": (256, 1024, "linear"),
    },
    left_out={"model.test_cfg.stride": "evaluation only", "data.train.max_size": "a cap on the size of images"},
    metric="mIoU",
)
REID = Invented(
    leaves={
        "train.optim.base_lr": (3.5e-4, {"minimum": 0.0, "maximum": INF}),
        "train.optim.center_lr": (0.5, {"minimum": 0.0, "maximum": INF}),
        "train.optim.margin": (0.3, {"minimum": 0.0, "maximum": 1.0}),
        "train.optim.warmup_factor": (0.01, {"minimum": 0.0, "maximum": 1.0}),
        "train.optim.lr_steps": ([40, 70], {}),
        "dataset.num_instances": (4, {"minimum": 1}),
        "dataset.prob": (0.5, {"minimum": 0.0, "maximum": 1.0}),
        "dataset.re_prob": (0.5, {"minimum": 0.0, "maximum": 1.0}),
        "re_ranking.k1": (20, {"minimum": 1}),
        "re_ranking.lambda_value": (0.3, {"minimum": 0.0, "maximum": 1.0}),
        "train.label_smoothing": (0.1, {"minimum": 0.0, "maximum": 1.0}),
    },
    fixed={"train.num_epochs": 120, "train.optim.name": "Adam"},
    searched={
        "train.optim.base_lr": (3.5e-6, 3.5e-3, "log"),
        "train.optim.center_lr": (5e-3, 1.0, "log"),
        "dataset.prob": (0.0, 1.0, "linear"),
        "train.label_smoothing": (0.0, 0.3, "linear"),
        "dataset.num_instances": (2, 8, "linear"),
    },
    left_out={
        "re_ranking.k1": "after the network's output",
        "re_ranking.lambda_value": "after the network's output",
        "train.optim.lr_steps": "a list",
    },
    metric="cmc_rank_1",
)
MASKED = Invented(
    leaves={
        "model.mask_ratio": (0.75, {"minimum": 0.0, "maximum": 1.0}),
        "model.norm_pix_loss": (True, {}),
        "model.drop_path": (0.0, {"minimum": 0.0, "maximum": 1.0}),
        "train.blr": (1.5e-4, {"minimum": 0.0}),
        "train.optim.lr": (1.5e-4, {"minimum": 0.0}),
        "train.optim.betas": ([0.9, 0.95], {}),
        "train.optim.weight_decay": (0.05, {"minimum": 0.0}),
        "train.warmup_epochs": (40, {"minimum": 0}),
        "data.augmentation.crop_scale_min": (0.2, {"minimum": 0.0, "maximum": 1.0}),
    },
    fixed={"train.num_epochs": 20, "train.optim.type": "adamw"},
    searched={
        "train.optim.lr": (1.5e-6, 1.5e-3, "log"),
        "train.optim.weight_decay": (5e-4, 0.5, "log"),
        "train.warmup_epochs": (10, 19, "linear"),
    },
    left_out={
        "model.mask_ratio": "a term of the loss",
        "model.norm_pix_loss": "a term of the loss",
        "model.drop_path": "loss of the training data itself",
        "data.augmentation.crop_scale_min": "loss of the training data itself",
    },
    metric="train_loss",
)
DISTILLED = Invented(
    leaves={
        "distill.temperature": (4.0, {"minimum": 0.0}),
        "train.kd.temperature": (4.0, {"minimum": 0.0}),
        "train.kd.loss_weight": (1.0, {"minimum": 0.0}),
        "train.teacher.momentum": (0.996, {"minimum": 0.0, "maximum": 1.0}),
        "train.pseudo.conf_threshold": (0.9, {"minimum": 0.0, "maximum": 1.0}),
        "train.optim.lr": (1e-3, {"minimum": 0.0}),
        "train.optim.nesterov": (True, {}),
    },
    fixed={"train.optim.optimizer": "SGD", "train.num_epochs": 30},
    searched={
        "train.kd.temperature": (1.0, 16.0, "log"),
        "train.kd.loss_weight": (0.25, 4.0, "log"),
        "train.teacher.momentum": (0.96, 0.9996, "log of 1 - x"),
        "train.pseudo.conf_threshold": None,
        "train.optim.lr": (1e-5, 1e-2, "log"),
        "train.optim.nesterov": None,
    },
    left_out={"distill.temperature": "belongs to the action distill"},
    metric="val_acc",
)
STEREO = Invented(
    leaves={
        "model.valid_iters": (32, {"minimum": 1}),
        "model.train_iters": (22, {"minimum": 1}),
        "model.corr_levels": (4, {"minimum": 1, "maximum": 8}),
        "train.optim.lr": (2e-4, {"minimum": 1e-6, "maximum": 0.01}),
        "train.optim.pct_start": (0.01, {"minimum": 0.0, "maximum": 1.0}),
        "train.loss_gamma": (0.9, {"minimum": 0.0, "maximum": 1.0}),
        "data.augmentation.spatial_scale_prob": (0.8, {"minimum": 0.0, "maximum": 1.0}),
        "data.augmentation.saturation": (0.4, {"minimum": 0.0, "maximum": 2.0}),
    },
    fixed={"train.optim.lr_scheduler": "OneCycleLR", "train.optim.optimizer": "AdamW", "train.num_epochs": 8},
    searched={
        "model.train_iters": (11, 44, "linear"),
        "train.optim.lr": (1e-6, 0.01, "log"),
        "train.optim.pct_start": (0.0, 0.5, "linear"),
        "data.augmentation.saturation": (0.0, 0.8, "linear"),
    },
    left_out={"model.valid_iters": "evaluation only"},
    metric="val_acc",
)
KEYPOINTS = Invented(
    leaves={
        "optimizer.lr": (5e-4, {"minimum": 0.0}),
        "optimizer.args.momentum": (0.9, {}),
        "optimizer.args.nesterov": (False, {}),
        "model.backbone.freeze_at": (-1, {"minimum": -1, "maximum": 12}),
        "model.backbone.patch_size": (16, {"minimum": 1}),
        "model.metric_head.loss_weight": (1.0, {}),
        "model.test_cfg.flip_test": (True, {}),
        "data.train.augment.rotate_factor": (40, {"minimum": 0, "maximum": 180}),
        "data.train.flip.ratio": (0.5, {}),
        "data.train.load_interval": (1, {}),
        "data.validate_dataset.size": (4, {"minimum": 1}),
        "data.num_frames": (4, {"minimum": 1}),
        "schedule.args.factor": (0.9, {}),
        "schedule.warmup_iters": (500, {"minimum": 0}),
        "schedule.total_epochs": (210, {"minimum": 1}),
        "model.decay": (0.6, {}),
        "train.amp.loss_scale": (512.0, {}),
        "train.grad_clip.max_norm": (35, {}),
    },
    fixed={"optimizer.type": "AdamW", "schedule.type": "cosine"},
    searched={
        "optimizer.lr": (5e-6, 5e-3, "log"),
        "model.backbone.freeze_at": (1, 12, "linear"),
        "model.metric_head.loss_weight": (0.25, 4.0, "log"),
        "data.train.augment.rotate_factor": (0, 45, "linear"),
        "data.train.flip.ratio": (0.0, 1.0, "linear"),
        "data.num_frames": (2, 8, "linear"),
        "schedule.warmup_iters": (125, 2000, "linear"),
        "schedule.total_epochs": (105, 420, "linear"),
        "model.decay": (0.3, 1.0, "linear"),
        "train.grad_clip.max_norm": (4, 350, "log"),
    },
    left_out={
        "optimizer.args.momentum": "optimizer.type is AdamW",
        "optimizer.args.nesterov": "optimizer.type is AdamW",
        "model.backbone.patch_size": "other values do not fit",
        "model.test_cfg.flip_test": "evaluation only",
        "data.train.load_interval": "other values do not fit",
        "data.validate_dataset.size": "evaluation only",
        "schedule.args.factor": "schedule.type is cosine",
        "train.amp.loss_scale": "throughput only",
    },
    metric="AP",
)
OTHER_NAMES = Invented(
    leaves={
        "model.decoder_depth": (8, {"minimum": 1, "maximum": 24}),
        "model.score_cutoff": (0.3, {"minimum": 0.0, "maximum": 1.0}),
        "model.output_stride": (16, {"type": "ordered_int", "valid_options": "8,16,32"}),
        "loss.ignore_index": (255, {"minimum": 0, "maximum": 255}),
        "data.crop": (512, {"minimum": 64, "maximum": 2048}),
        "data.aug.mosaic_prob": (0.5, {"minimum": 0.0, "maximum": 1.0}),
        "train.optim.blr": (1.5e-4, {"minimum": 0.0}),
        "train.optim.lr_step": (11, {"minimum": 1, "maximum": 300}),
    },
    fixed={"train.num_epochs": 12, "train.optim.scheduler": "step", "data.aug.mosaic": False},
    searched={
        "model.decoder_depth": (4, 16, "linear"),
        "data.crop": (256, 1024, "linear"),
        "train.optim.blr": (1.5e-6, 1.5e-3, "log"),
        "train.optim.lr_step": (1, 11, "log"),
    },
    left_out={
        "model.score_cutoff": "after the network's output",
        "model.output_stride": "its options cannot be read",
        "loss.ignore_index": "other values do not fit",
        "data.aug.mosaic_prob": "data.aug.mosaic is False",
    },
)
MM_SEGMENTER = Invented(
    leaves={
        "optimizer.lr": (0.01, {"minimum": 0.0}),
        "lr_config.warmup_ratio": (1e-6, {"minimum": 0.0, "maximum": 1.0}),
        "lr_config.warmup_iters": (1500, {"minimum": 0}),
        "ema.start_iter": (500, {"minimum": 0, "maximum": 1000000}),
        "ema.momentum": (0.0002, {"minimum": 0.0, "maximum": 1.0}),
        "data.slide_stride": (341, {"minimum": 1}),
        "data.sliding_window.overlap": (0.25, {"minimum": 0.0, "maximum": 1.0}),
    },
    fixed={"optimizer.type": "SGD", "train.max_iters": 40000},
    searched={
        "optimizer.lr": (1e-4, 0.1, "log"),
        "lr_config.warmup_ratio": (1e-6, 1e-5, "log"),
        "lr_config.warmup_iters": (375, 6000, "linear"),
        "ema.start_iter": (125, 2000, "linear"),
        "ema.momentum": None,
    },
    left_out={"data.slide_stride": "evaluation only", "data.sliding_window.overlap": "evaluation only"},
    metric="mIoU",
)
LANGUAGE = Invented(
    leaves={
        "training.learning_rate": (2e-5, {"minimum": 0.0}),
        "training.warmup_ratio": (0.03, {"minimum": 0.0, "maximum": 1.0}),
        "training.weight_decay": (0.0, {"minimum": 0.0}),
        "training.max_grad_norm": (1.0, {"minimum": 0.0}),
        "lora.r": (16, {"minimum": 1, "maximum": 256}),
        "lora.dropout": (0.05, {"minimum": 0.0, "maximum": 1.0}),
        "generation.temperature": (0.7, {"minimum": 0.0}),
        "eval.max_new_tokens": (128, {"minimum": 1}),
    },
    fixed={"training.optim": "adamw_torch", "training.num_epochs": 3},
    searched={
        "training.learning_rate": (2e-7, 2e-4, "log"),
        "training.warmup_ratio": (0.0, 0.5, "linear"),
        "training.weight_decay": (1e-6, 0.1, "log"),
        "training.max_grad_norm": (0.1, 10.0, "log"),
        "lora.r": None,
        "lora.dropout": (0.0, 0.5, "linear"),
    },
    left_out={"generation.temperature": "evaluation only", "eval.max_new_tokens": "evaluation only"},
    metric="accuracy",
)
TEXT_READER = Invented(
    leaves={
        "train.lr": (1e-3, {"anyOf": [{"type": "number", "minimum": 1e-5}, {"type": "null"}], "maximum": 1e-2}),
        "train.beam_width": (5, {"minimum": 1, "maximum": 50}),
        "model.decoder.dropout": (0.1, {"minimum": 0.0, "maximum": 1.0}),
        "model.max_label_length": (25, {"minimum": 1}),
        "decoding.beam_width": (5, {"minimum": 1, "maximum": 50}),
        "train.ema_decay": (0.999, {"minimum": 0.0, "maximum": 1.0}),
    },
    fixed={"train.optimizer": "adam", "train.num_epochs": 20},
    searched={
        "train.lr": (1e-5, 1e-2, "log"),
        "model.decoder.dropout": (0.0, 0.5, "linear"),
        "train.ema_decay": (0.99, 0.9999, "log of 1 - x"),
    },
    left_out={
        "model.max_label_length": "fixed by the data",
        "train.beam_width": "after the network's output",
        "decoding.beam_width": "evaluation only",
    },
    metric="accuracy",
)
POINTS = Invented(
    leaves={
        "optim.lr": (0.003, {"minimum": 0.0}),
        "optim.weight_decay": (0.01, {"minimum": 0.0}),
        "optim.div_factor": (10.0, {"minimum": 1.0, "maximum": 100.0}),
        "model.post_processing.score_thresh": (0.1, {"minimum": 0.0, "maximum": 1.0}),
        "model.post_processing.nms_thresh": (0.01, {"minimum": 0.0, "maximum": 1.0}),
        "data.augment.rotation": (45.0, {"minimum": 0.0, "maximum": 180.0}),
        "data.augment.flip_prob": (0.5, {"minimum": 0.0, "maximum": 1.0}),
        "data.max_points": (32, {"minimum": 1}),
    },
    fixed={"optim.optimizer": "adam_onecycle", "train.num_epochs": 80},
    searched={
        "optim.lr": (3e-5, 0.03, "log"),
        "optim.weight_decay": (1e-4, 0.1, "log"),
        "data.augment.flip_prob": (0.0, 1.0, "linear"),
    },
    left_out={
        "model.post_processing.score_thresh": "after the network's output",
        "model.post_processing.nms_thresh": "after the network's output",
    },
    metric="mAP",
)
DIFFUSION = Invented(
    leaves={
        "train.learning_rate": (1e-4, {"minimum": 0.0}),
        "train.ema.start_iter": (2000, {"minimum": 0}),
        "train.ema.decay": (0.9999, {"minimum": 0.0, "maximum": 1.0}),
        "train.p_uncond": (0.1, {"minimum": 0.0, "maximum": 1.0}),
        "inference.guidance_scale": (7.5, {"minimum": 0.0}),
        "inference.num_steps": (50, {"minimum": 1}),
        "data.low_size": (64, {"minimum": 16, "depends_on": "data.image_size"}),
        "data.image_size": (256, {"minimum": 32, "maximum": 1024}),
    },
    fixed={"train.optimizer": "adamw", "train.max_steps": 100000},
    searched={
        "train.learning_rate": (1e-6, 1e-3, "log"),
        "train.ema.start_iter": (500, 8000, "linear"),
        "train.ema.decay": (0.999, 0.99999, "log of 1 - x"),
        "data.image_size": None,
    },
    left_out={"inference.guidance_scale": "belongs to the action", "inference.num_steps": "belongs to the action"},
    metric="fid",
)
_ANY: dict[str, Any] = {"minimum": 0.0}
FLAT_DETECTOR = Invented(
    leaves={
        "lr0": (0.01, _ANY),
        "box": (7.5, _ANY),
        "hsv_h": (0.015, _ANY),
        "hsv_s": (0.7, _ANY),
        "mosaic": (1.0, _ANY),
        "smoothing": (0.1, _ANY),
        "drop": (0.0, _ANY),
        "warmup_factor": (0.001, {"minimum": 0.0, "maximum": 1.0}),
        "cooldown_epochs": (10, {"minimum": 0}),
        "optim.clip": (1.0, _ANY),
        "optim.clip_grad.norm_type": (2, {"minimum": 1}),
        "optim.paramwise_cfg.decay_rate": (0.9, {"minimum": 0.0, "maximum": 1.0}),
        "model.backbone.depth": (50, {"minimum": 1}),
        "model.output_stride": (16, {"minimum": 1}),
        "model.loss_cls.gamma": (2.0, _ANY),
        "model.assigner.pos_iou_thr": (0.5, {"minimum": 0.0, "maximum": 1.0}),
        "model.roi_heads.batch_size_per_image": (512, {"minimum": 1}),
        "train.min_snr_gamma": (5.0, _ANY),
        "augment.world_rotation": (0.785, _ANY),
        "augment.scale_max": (1.25, _ANY),
        "augment.scale_min": (0.8, _ANY),
        "data.mean": (0.45, _ANY),
        "conf": (0.001, _ANY),
        "iou": (0.7, _ANY),
        "crop_pct": (0.95, _ANY),
        "workers": (8, {"minimum": 0}),
        "amp": (True, {}),
    },
    fixed={"epochs": 100},
    searched={
        "lr0": (1e-4, 0.1, "log"),
        "box": (1.875, 30.0, "log"),
        "hsv_h": (0.0, 0.2, "linear"),
        "hsv_s": (0.0, 0.8, "linear"),
        "mosaic": (0.0, 1.0, "linear"),
        "smoothing": (0.0, 0.3, "linear"),
        "drop": (0.0, 0.5, "linear"),
        "warmup_factor": (1e-4, 0.01, "log"),
        "cooldown_epochs": (5, 20, "linear"),
        "optim.clip": (0.1, 10.0, "log"),
        "optim.paramwise_cfg.decay_rate": (0.5, 1.0, "linear"),
        "model.output_stride": None,
        "model.loss_cls.gamma": (0.0, 5.0, "linear"),
        "model.assigner.pos_iou_thr": (0.2, 0.9, "linear"),
        "model.roi_heads.batch_size_per_image": (256, 1024, "linear"),
        "train.min_snr_gamma": (2.5, 10.0, "linear"),
        "augment.world_rotation": (0.0, 0.8, "linear"),
        "augment.scale_max": (1.001, 2.5, "linear"),
        "augment.scale_min": (0.4, 0.94, "linear"),
    },
    left_out={
        "optim.clip_grad.norm_type": "fixed by the data or the network",
        "model.backbone.depth": "fixed by the data or the network",
        "data.mean": "fixed by the data or the network",
        "conf": "after the network's output",
        "iou": "after the network's output",
        "crop_pct": "after the network's output",
        "workers": "throughput only",
        "amp": "throughput only",
    },
    metric="mAP50",
)
PLAIN_TRAINER = Invented(
    leaves={
        "patience": (10, {"minimum": 1, "maximum": 100}),
        "train.patience": (5, {"minimum": 1, "maximum": 50}),
        "callbacks.early_stopping.min_delta": (1e-3, {"minimum": 0.0}),
        "early_stopping_rounds": (50, {"minimum": 1, "maximum": 200}),
        "limit_train_batches": (1.0, {"minimum": 0.0, "maximum": 1.0}),
        "trainer.gradient_clip_val": (1.0, {"minimum": 0.0}),
        "early.enabled": (True, {}),
        "sched.gamma": (0.1, {"minimum": 0.0, "maximum": 1.0}),
        "model.depth": (12, {"minimum": 1, "maximum": 48}),
        "model.init_std": (0.02, {"minimum": 0.0, "maximum": 1.0}),
        "data.sample_rate": (16000, {"minimum": 1}),
        "k_folds": (5, {"minimum": 2, "maximum": 10}),
        "random_state": (42, {"minimum": 0}),
        "lr_warmup": (500, {"minimum": 0}),
        "optim.warmup": (1000, {"minimum": 0, "maximum": 10000}),
        "scheduler.warmup": (20, {"minimum": 0, "maximum": 10000}),
        "optim.lr": (1e-3, {"minimum": 0.0}),
        "optim.eta_min": (1e-4, {"minimum": 0.0}),
        "model.dec_layers": (10, {"minimum": 1, "maximum": 100}),
        "model.max_seq_length": (512, {"minimum": 16, "maximum": 4096}),
        "accumulate_grad_batches": (4, {"minimum": 1, "maximum": 32}),
        "aug.min_crop": (0.2, {"minimum": 0.0, "maximum": 1.0}),
        "aug.max_crop": (0.8, {"minimum": 0.0, "maximum": 1.0}),
        "aug.gammaLow": (0.8, {"minimum": 0.1, "maximum": 2.0}),
        "aug.gammaHigh": (1.2, {"minimum": 0.1, "maximum": 2.0}),
        "seq.min_len": (10, {"minimum": 1, "maximum": 100}),
        "seq.max_len": (50, {"minimum": 1, "maximum": 512}),
        "data.min_size": (640, {"minimum": 32}),
    },
    fixed={"epochs": 200, "optim.type": "adamw", "data.max_size": 1333, "sched.kind": "cosine"},
    searched={
        "lr_warmup": (125, 2000, "linear"),
        "optim.warmup": (250, 4000, "linear"),
        "scheduler.warmup": (5, 80, "linear"),
        "optim.lr": (1e-5, 1e-2, "log"),
        "optim.eta_min": (1e-6, 1e-3, "log"),
        "model.dec_layers": (5, 20, "linear"),
        "model.depth": (6, 24, "linear"),
        "model.init_std": (0.002, 0.2, "log"),
        "model.max_seq_length": (128, 2048, "linear"),
        "accumulate_grad_batches": (1, 32, "log"),
        "trainer.gradient_clip_val": (0.1, 10.0, "log"),
        "aug.min_crop": (0.0, 0.5, "linear"),
        "aug.max_crop": (0.5, 1.0, "linear"),
        "aug.gammaLow": (0.1, 1.0, "linear"),
        "aug.gammaHigh": (1.0, 2.0, "linear"),
        "seq.min_len": (1, 22, "log"),
        "seq.max_len": (22, 512, "log"),
        "data.min_size": (320, 1280, "linear"),
    },
    left_out={
        "patience": "when a run ends",
        "train.patience": "when a run ends",
        "callbacks.early_stopping.min_delta": "when a run ends",
        "early_stopping_rounds": "when a run ends",
        "limit_train_batches": "when a run ends",
        "early.enabled": "when a run ends",
        "sched.gamma": "sched.kind is cosine",
        "data.sample_rate": "fixed by the data",
        "k_folds": "evaluation only",
        "random_state": "where a run is placed",
    },
    metric="accuracy",
)
OTHER_FIELDS = Invented(
    leaves={
        "ppo.clip_range": (0.2, {"minimum": 0.0, "maximum": 1.0}),
        "ppo.ent_coef": (0.01, {"minimum": 0.0}),
        "diffusion.beta_start": (1e-4, {"minimum": 0.0, "maximum": 1.0}),
        "gbm.feature_fraction": (0.9, {"minimum": 0.0, "maximum": 1.0}),
        "svm.C": (1.0, {"minimum": 0.0}),
        "sampling.steps": (50, {"minimum": 1}),
        "train.compile": (False, {}),
        "train.deterministic": (True, {}),
        "train.min_epochs": (5, {"minimum": 1}),
        "train.lr": (3e-4, {"minimum": 0.0}),
    },
    fixed={"train.epochs": 50},
    searched={
        "ppo.clip_range": (0.05, 0.4, "linear"),
        "ppo.ent_coef": (0.0025, 0.04, "log"),
        "diffusion.beta_start": (2.5e-5, 4e-4, "log"),
        "gbm.feature_fraction": (0.3, 1.0, "linear"),
        "svm.C": (0.01, 100.0, "log"),
    },
    left_out={
        "sampling.steps": "after the network's output",
        "train.compile": "throughput only",
        "train.deterministic": "where a run is placed",
        "train.min_epochs": "when a run ends",
    },
    metric="reward",
)
PACKAGES = {
    "other fields": OTHER_FIELDS,
    "plain trainer": PLAIN_TRAINER,
    "flat detector": FLAT_DETECTOR,
    "text reader": TEXT_READER,
    "points": POINTS,
    "diffusion": DIFFUSION,
    "segmenter of another kind": MM_SEGMENTER,
    "language": LANGUAGE,
    "keypoints": KEYPOINTS,
    "detector": DETECTOR,
    "segmenter": SEGMENTER,
    "re-identification": REID,
    "masked pretraining": MASKED,
    "distillation": DISTILLED,
    "stereo": STEREO,
    "other names": OTHER_NAMES,
}
