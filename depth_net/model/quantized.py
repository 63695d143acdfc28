"""Eight-bit weights with torchao: which layers get them, making them, and admitting their classes when a file is read.

The only door to torchao; it is imported when a quantised model is made or loaded, not before.
"""

from __future__ import annotations

import fnmatch
import importlib
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from depth_net.errors import SpecError
from depth_net.model.rows import is_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from depth_net.model.depth_anything import DepthAnything

logger = logging.getLogger(__name__)


class WeightType(StrEnum):
    """Number format of quantised weights."""

    INT8 = "int8"
    """One signed byte per weight and one scale per output channel."""
    FP8 = "fp8_e4m3fn"
    """Eight-bit floating point, four bits of exponent."""


_ACCEPTED = {"int8": WeightType.INT8, "fp8_e4m3fn": WeightType.FP8, "fp8_e5m2": WeightType.FP8}
"""Values in a spec. torchao has no e5m2 weights; the reference uses e4m3 for them too."""
_NATIVE = "native"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRule:
    """The number format of the layers that a pattern matches.

    Attributes:
        pattern: Shell-style pattern of a published layer name or of a class name, e.g. ``pretrained.blocks.*`` or
            ``Linear``.
        weight_type: The format; None leaves the layers as they are.
    """

    pattern: str
    weight_type: WeightType | None

    def matches(self, name: str, layer: nn.Module) -> bool:
        """Whether the rule applies to this layer."""
        return fnmatch.fnmatchcase(name, self.pattern) or fnmatch.fnmatchcase(type(layer).__name__, self.pattern)


DEFAULT_RULES = (LayerRule(pattern="Linear", weight_type=WeightType.INT8),)
"""Rules for an empty list. The reference then quantises nothing and reports success."""


def read_rules(layers: Sequence[Mapping[str, Any]]) -> tuple[LayerRule, ...]:
    """Turn `quantize.layers` of a spec into rules; an empty list into the default ones.

    Raises:
        SpecError: an unknown format, activations to quantise, or a rule without a pattern; all of them are named.
    """
    problems = [text for index, layer in enumerate(layers) for text in _problems_of_rule(index, layer)]
    if problems:
        raise SpecError("\n".join(("quantize.layers cannot be used", *problems)))
    if not layers:
        logger.warning("quantize.layers is empty: every Linear layer gets int8 weights")
        return DEFAULT_RULES
    return tuple(
        LayerRule(pattern=str(layer["module_name"]), weight_type=_ACCEPTED.get(_weight_word(layer))) for layer in layers
    )


def choose_layers(
    model: DepthAnything, rules: Sequence[LayerRule], skip: Sequence[str] = ()
) -> Mapping[str, WeightType]:
    """Find the layers to quantise: Linear ones that the last matching rule gives a format and no pattern skips.

    Returns:
        Published layer names, e.g. ``pretrained.blocks.0.attn.qkv``, and their formats.

    Raises:
        SpecError: nothing is left, or a rule matches no layer at all.
    """
    layers = {name: model.get_submodule(parts[0]) for name, parts in model.layers().items()}
    chosen: dict[str, WeightType] = {}
    for rule in rules:
        matched = [name for name, layer in layers.items() if rule.matches(name, layer)]
        if not matched:
            raise SpecError(
                f"quantize.layers: found {rule.pattern!r}, which matches no layer; expected a pattern of names such as "
                "pretrained.blocks.0.attn.qkv or of classes such as Linear; fix: correct or remove the rule"
            )
        for name in matched:
            chosen.pop(name, None)
            if rule.weight_type is not None and isinstance(layers[name], nn.Linear):
                chosen[name] = rule.weight_type
    skipping = [LayerRule(pattern=pattern, weight_type=None) for pattern in skip]
    kept = {
        name: kind for name, kind in chosen.items() if not any(rule.matches(name, layers[name]) for rule in skipping)
    }
    if not kept:
        raise SpecError(
            "quantize: found no layer to quantise; expected at least one Linear layer that quantize.layers matches and "
            "quantize.skip_names does not; fix: widen layers or shorten skip_names"
        )
    return kept


def quantize_layers(model: DepthAnything, layers: Mapping[str, WeightType]) -> None:
    """Replace the weights of Linear layers, given by published name, in place; everything else stays as it is."""
    torchao = _import_torchao()
    makers = {WeightType.INT8: torchao.Int8WeightOnlyConfig, WeightType.FP8: torchao.Float8WeightOnlyConfig}
    for kind in WeightType:
        names = {part for name, wanted in layers.items() if wanted is kind for part in model.layers()[name]}
        if names:
            # set_inductor_config would change global settings of the compiler of a caller that trains on.
            torchao.quantize_(
                model, makers[kind](set_inductor_config=False), filter_fn=lambda _, name, of=names: name in of
            )


def admit_quantized_classes(asked: Sequence[str]) -> bool:
    """Allow torchao's tensor classes to be unpickled if a file needs no others; return whether that is so."""
    if not asked or not all(name.startswith("torchao.") for name in asked):
        return False
    _import_torchao()  # registers its tensor classes as safe
    return True


def is_quantized_tensor(tensor: Tensor) -> bool:
    """Whether a tensor is of a subclass that holds something else than its elements."""
    return not is_plain(tensor)


def _import_torchao() -> Any:  # noqa: ANN401  # a module without annotations
    """Import the library, which takes a second, without its warnings about kernels for GPUs that are absent."""
    loud = [(logger, logger.level) for logger in map(logging.getLogger, ("torchao", "torch.utils._pytree"))]
    try:
        for each, _ in loud:
            each.setLevel(logging.ERROR)
        return importlib.import_module("torchao.quantization")
    finally:
        for each, level in loud:
            each.setLevel(level)


def _problems_of_rule(index: int, layer: Mapping[str, Any]) -> list[str]:
    where = f"  quantize.layers[{index}]"
    problems = []
    if not layer.get("module_name"):
        problems.append(f"{where}.module_name: found nothing; expected a pattern of layer or class names")
    word = _weight_word(layer)
    if word not in (*_ACCEPTED, _NATIVE):
        problems.append(f"{where}.weights.dtype: found {word!r}; expected {', '.join(_ACCEPTED)} or {_NATIVE}")
    activation = _word(layer, "activations")
    if activation not in ("", _NATIVE):
        problems.append(f"{where}.activations.dtype: found {activation!r}; expected none, only weights are quantised")
    unknown = sorted(set(layer) - {"module_name", "weights", "activations"})
    if unknown:
        problems.append(f"{where}: found {', '.join(unknown)}; expected module_name, weights and activations")
    return problems


def _weight_word(layer: Mapping[str, Any]) -> str:
    return _word(layer, "weights") or WeightType.INT8.value


def _word(layer: Mapping[str, Any], key: str) -> str:
    part = layer.get(key)
    if isinstance(part, str):
        return part
    return str(part.get("dtype") or "") if isinstance(part, dict) else ""
