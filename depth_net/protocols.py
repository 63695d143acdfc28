"""How papers evaluate: which pixels count, how predictions are aligned, how images are averaged.

A protocol is data; `depth_net.paper_scores` computes with it. What a spec sets beside a protocol replaces that part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from depth_net.config.choices import Alignment, EvalCrop, Protocol
from depth_net.errors import SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from depth_net.config.actions import EvaluateConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one evaluation.

    Attributes:
        name: Prefix of its values in the status file.
        crop: Box outside of which nothing counts; None leaves that to the dataset class.
        min_depth_m: Depths up to this do not count, and predictions are clipped to it; None where there is no limit.
        max_depth_m: The same from above.
        includes_limits: Whether depths of exactly a limit count.
        alignment: What is fitted per image.
        flip_average: Whether predictions are averaged with those of mirrored images.
        source: Where the rules are published.
    """

    name: str
    crop: EvalCrop | None = None
    min_depth_m: float | None = None
    max_depth_m: float | None = None
    includes_limits: bool = False
    alignment: Alignment | None = None
    flip_average: bool = False
    source: str

    def __str__(self) -> str:
        low, high = self.min_depth_m, self.max_depth_m
        limits = "all depths" if high is None else f"depth {low or 0:g} to {high:g} m"
        ends = " with both ends" if self.includes_limits and high is not None else ""
        parts = [
            f"crop {self.crop or 'of the dataset class'}",
            f"{limits}{ends}",
            f"alignment {self.alignment}",
            "mean over images",
            f"flip averaging {'on' if self.flip_average else 'off'}",
        ]
        return f"{self.name}: {', '.join(parts)}. {self.source}"


PROTOCOLS: Final[Mapping[Protocol, Rules]] = {
    Protocol.NYU: Rules(
        name="nyu",
        crop=EvalCrop.NYU,
        min_depth_m=1e-3,
        max_depth_m=10.0,
        source="Box and metrics: Eigen et al. 2014 (arXiv:1406.2283); range as in later work on NYU Depth V2.",
    ),
    Protocol.KITTI: Rules(
        name="kitti",
        crop=EvalCrop.GARG,
        min_depth_m=1e-3,
        max_depth_m=80.0,
        source="Box: Garg et al. 2016 (arXiv:1603.04992); metrics: Eigen et al. 2014 (arXiv:1406.2283).",
    ),
    Protocol.DA2: Rules(
        name="da2",
        crop=EvalCrop.NONE,
        min_depth_m=1e-3,
        includes_limits=True,
        source="Depth Anything V2 (arXiv:2406.09414); relative models are aligned in disparity as by MiDaS "
        "(arXiv:1907.01341).",
    ),
}
"""Published protocols. ``da2`` takes the largest depth of a metric model from its training."""

_OWN: Final = Rules(name="eval", source="Rules of this spec.")


def rules_of(settings: EvaluateConfig, model_type: ModelType, max_depth_m: float | None, min_depth_m: float) -> Rules:
    """Return the rules of an evaluation.

    Args:
        settings: Section ``evaluate``.
        model_type: The family.
        max_depth_m: Range of a metric model, which holds where neither protocol nor spec names another.
        min_depth_m: The same.

    Raises:
        SpecError: the range is empty.
    """
    rules = PROTOCOLS[settings.protocol] if settings.protocol else _OWN
    is_relative = model_type is ModelType.RELATIVE
    low, high = _first(settings.min_depth, rules.min_depth_m), _first(settings.max_depth, rules.max_depth_m)
    if not is_relative:
        low, high = _first(low, min_depth_m), _first(high, max_depth_m)
    if low is not None and high is not None and not low < high:
        raise SpecError(f"evaluate.min_depth, evaluate.max_depth: found {low:g} and {high:g}; expected min < max")
    usual = Alignment.LEAST_SQUARES if is_relative else Alignment.NONE
    return replace(
        rules,
        crop=settings.eval_crop or rules.crop,
        min_depth_m=low,
        max_depth_m=high,
        alignment=settings.alignment or rules.alignment or usual,
        flip_average=settings.flip_average or rules.flip_average,
    )


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
