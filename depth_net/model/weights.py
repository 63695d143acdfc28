"""Weights from any public or own file, recognised by their names, put into a model or refused with every mismatch.

One loader for all actions. It recognises Depth Anything V2 files, DINOv2 backbones, Lightning checkpoints of this
trainer and of the container, and transformers folders; infers the encoder from the width of the tokens; and decides
when a head may be renamed between the relative and the metric family. How a file is opened is in
`depth_net.model.checkpoint_file`, how transformers' names are translated in `depth_net.model.keys`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from depth_net.errors import WeightsError
from depth_net.model.checkpoint_file import METADATA_KEY, Container, open_weights
from depth_net.model.encoders import ENCODERS, encoder_of_width
from depth_net.model.family import ModelType
from depth_net.model.keys import ENCODER_PREFIX, HEAD_PREFIX, METRIC_HEAD_PREFIX, is_transformers, to_original_keys
from depth_net.model.published_names import FIRST_VERSION, PublishedName, is_first_version, published_name
from depth_net.model.quantized import is_quantized_tensor
from depth_net.model.rows import is_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from depth_net.model.depth_anything import DepthAnything

__all__ = ["METADATA_KEY", "Layout", "LoadedWeights", "apply_weights", "load_weights", "metadata_of"]

SHOWN = 8
"""Mismatching names listed per kind before the rest is counted."""

_BLOCK_INDEX = re.compile(r"^pretrained\.blocks\.(\d+)\.")
_NARROW = ("torch.float8", "torch.float4")
_OPTIONAL = frozenset({"pretrained.mask_token"})
"""Read by pre-training only; some files leave it out."""


class Layout(StrEnum):
    """Vocabulary of the names in the file."""

    DEPTH_ANYTHING = "depth_anything"
    """Published: ``pretrained.*`` and a head."""
    DINOV2 = "dinov2"
    """An encoder alone, without any prefix."""
    TRANSFORMERS = "transformers"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWeights:
    """Weights in the published layout, and what is known about them.

    Attributes:
        path: Where they came from.
        state: Names ``pretrained.*`` and ``depth_head.*`` or ``metric_depth_head.*``; CPU tensors, possibly mapped
            from the file.
        layout: Vocabulary that the file used.
        container: What wrapped the weights in the file.
        encoder: The encoder they fit, a name in `ENCODERS`.
        has_head: Whether a head is there; a backbone alone has none.
        family: Which family the head belongs to; None when the file does not state it (public files call both
            ``depth_head``).
        metadata: Our own notes (see `metadata_of`) or a transformers configuration; empty for other files.
        name: What the name of a file says that has no such notes; None where it is no published one.
    """

    path: Path
    state: Mapping[str, Tensor]
    layout: Layout
    container: Container
    encoder: str
    has_head: bool
    family: ModelType | None
    metadata: Mapping[str, Any]
    name: PublishedName | None = None

    @property
    def max_depth_m(self) -> float | None:
        """Upper end of the depth range the weights were trained for, in metres; None if unknown."""
        if self.name is not None and self.name.is_exact:
            return self.name.max_depth_m
        value = self.metadata.get("max_depth")
        is_metric = self.family is ModelType.METRIC
        return float(value) if is_metric and isinstance(value, int | float) else None

    @property
    def is_first_version(self) -> bool:
        """Whether the weights are those of Depth Anything V1, by their name or configuration."""
        backbone = self.metadata.get("backbone_config")
        layers = backbone.get("out_indices") if isinstance(backbone, dict) else None
        is_other = layers is not None and list(layers) != [tap + 1 for tap in ENCODERS[self.encoder].taps]
        return is_other or is_first_version(self.path)

    def without_head(self) -> LoadedWeights:
        """The encoder alone."""
        encoder = {name: tensor for name, tensor in self.state.items() if name.startswith(ENCODER_PREFIX)}
        return replace(self, state=encoder, has_head=False, family=None)


def load_weights(path: Path, key: str | None = None) -> LoadedWeights:
    """Read a file or folder with weights and recognise what it holds.

    Args:
        path: The file or folder.
        key: Which weights to take where a file holds several sets.

    Raises:
        WeightsError: it cannot be read, holds another model or numbers of eight bits, or fits no known encoder; or it
            holds several sets and the key does not say which.
    """
    file = open_weights(path, key or "")
    _refuse_narrow_floats(path, file.state)
    state, layout = _to_published(path, file.state)
    prefixes = {name.split(".", maxsplit=1)[0] + "." for name in state}
    name = None if file.metadata else published_name(path)
    family = _recognise_family(prefixes, file.container, file.metadata)
    has_head = bool(prefixes & {HEAD_PREFIX, METRIC_HEAD_PREFIX})
    if family is None and has_head and name is not None and name.is_exact:
        family = name.family
    return LoadedWeights(
        path=path,
        state=state,
        layout=layout,
        container=file.container,
        encoder=_recognise_encoder(path, state),
        has_head=has_head,
        family=family,
        metadata=file.metadata,
        name=name if has_head else None,
    )


def apply_weights(model: DepthAnything, weights: LoadedWeights, *, is_starting_point: bool = False) -> None:
    """Copy weights into a model, all of them or none; see `fit_weights`, which decides whether they fit."""
    model.load_state_dict(fit_weights(model, weights, is_starting_point=is_starting_point), strict=False)


def fit_weights(model: DepthAnything, weights: LoadedWeights, *, is_starting_point: bool = False) -> dict[str, Tensor]:
    """Return weights under the names of a model that they fit; nothing is copied.

    Args:
        model: The model.
        weights: The weights.
        is_starting_point: Whether training starts from here. Then the head may come from the other family or be
            missing (it keeps its initial weights), and the depth range may change.

    Raises:
        WeightsError: encoder, family, depth range, a name or a shape does not fit; every mismatch is named. Or the
            weights are quantised.
    """
    if any(is_quantized_tensor(tensor) for tensor in weights.state.values()):
        raise WeightsError(f"{weights.path}: found quantised weights; expected those that they were made of")
    problems = _problems_of_identity(model, weights, is_starting_point=is_starting_point)
    state = _with_head_of(model, weights.state)
    if weights.encoder == model.encoder_name:  # otherwise hundreds of shapes differ for the same reason
        problems += _problems_of_tensors(model.state_dict(), state, needs_head=weights.has_head)
    if problems:
        raise WeightsError("\n".join((f"{weights.path}: the weights do not fit the model", *problems)))
    return dict(state)


def metadata_of(model: DepthAnything, *, min_depth_m: float | None) -> dict[str, object]:
    """Return the description of a model that a checkpoint stores under `METADATA_KEY`; plain numbers and text."""
    return {
        "model_type": model.model_type.value,
        "encoder": model.encoder_name,
        "max_depth": model.max_depth_m,
        "min_depth": min_depth_m,
    }


def _refuse_narrow_floats(path: Path, state: Mapping[str, Tensor]) -> None:
    narrow = [name for name, tensor in state.items() if is_plain(tensor) and str(tensor.dtype).startswith(_NARROW)]
    if narrow:
        kind = str(state[narrow[0]].dtype).removeprefix("torch.")
        raise WeightsError(
            f"{path}: found {len(narrow)} tensors of {kind}, such as {narrow[0]}; expected float32, float16 or "
            "bfloat16, because eight-bit floats mean nothing without the scales that belong to them; fix: name the "
            "file that these weights were made of"
        )


def _to_published(path: Path, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Layout]:
    if "embeddings.position_embeddings" in state:  # transformers' DINOv2 alone
        state = {f"backbone.{name}": tensor for name, tensor in state.items()}
    if is_transformers(state):
        return to_original_keys(state), Layout.TRANSFORMERS
    if any(name.startswith(ENCODER_PREFIX) for name in state):
        return dict(state), Layout.DEPTH_ANYTHING
    if "patch_embed.proj.weight" in state:
        if "register_tokens" in state:
            raise WeightsError(
                f"{path}: found a DINOv2 backbone with register tokens; expected one without, as Depth Anything V2 "
                "uses; fix: fetch the file whose name does not end in reg4_pretrain"
            )
        return {ENCODER_PREFIX + name: tensor for name, tensor in state.items()}, Layout.DINOV2
    raise WeightsError(
        f"{path}: found weights of another model (first names: {', '.join(list(state)[:3])}); expected Depth Anything "
        "V2 (pretrained.*, depth_head.*), a DINOv2 backbone (cls_token, pos_embed, blocks.*) or a transformers "
        "checkpoint of either; fix: check the file"
    )


def _recognise_encoder(path: Path, state: Mapping[str, Tensor]) -> str:
    token = state.get("pretrained.cls_token")
    width = token.shape[-1] if token is not None else 0
    depth = 1 + max((int(found.group(1)) for found in map(_BLOCK_INDEX.match, state) if found), default=-1)
    name = encoder_of_width(width)
    if name is None or ENCODERS[name].depth != depth:
        known = ", ".join(f"{name} {shape.width} and {shape.depth}" for name, shape in ENCODERS.items())
        raise WeightsError(
            f"{path}: found an encoder {width} wide with {depth} blocks; expected one of (width and blocks): {known}"
        )
    return name


def _recognise_family(prefixes: set[str], container: Container, metadata: Mapping[str, Any]) -> ModelType | None:
    if METRIC_HEAD_PREFIX in prefixes:
        return ModelType.METRIC
    if HEAD_PREFIX not in prefixes:
        return None
    match container:
        case Container.LIGHTNING:
            return ModelType.RELATIVE
        case Container.FOLDER:
            is_metric = metadata.get("depth_estimation_type") == "metric"
            return ModelType.METRIC if is_metric else ModelType.RELATIVE
        case Container.FLAT | Container.WRAPPED | Container.SAFETENSORS:
            named = [family for family in ModelType if family.value == metadata.get("model_type")]
            return named[0] if named else None


def _problems_of_identity(model: DepthAnything, weights: LoadedWeights, *, is_starting_point: bool) -> list[str]:
    problems = []
    if weights.encoder != model.encoder_name:
        problems.append(_problem("model.encoder", model.encoder_name, f"{weights.encoder}, which the file holds"))
    if is_starting_point:
        return problems
    if not weights.has_head:
        problems.append(_problem("the head", "a backbone alone", "a whole model; name a trained checkpoint"))
    by_name = f" by its name {weights.name.text}; rename it if that is wrong" if weights.name else ""
    if weights.family not in (None, model.model_type):
        expected = f"{weights.family}, which the file holds{by_name}"
        problems.append(_problem("model.model_type", model.model_type, expected))
    elif weights.max_depth_m is not None and weights.max_depth_m != model.max_depth_m:
        expected = (
            f"{weights.max_depth_m}, which the weights were trained for{by_name}; another value scales every depth"
        )
        problems.append(_problem("dataset.max_depth", model.max_depth_m, expected))
    if weights.is_first_version:
        problems.append(_problem("the weights", FIRST_VERSION, "Depth Anything V2"))
    return problems


def _with_head_of(model: DepthAnything, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with its head renamed to the one the model has."""
    ours = METRIC_HEAD_PREFIX if model.model_type is ModelType.METRIC else HEAD_PREFIX
    theirs = HEAD_PREFIX if ours == METRIC_HEAD_PREFIX else METRIC_HEAD_PREFIX
    return {(ours + name[len(theirs) :] if name.startswith(theirs) else name): value for name, value in state.items()}


def _problems_of_tensors(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], *, needs_head: bool) -> list[str]:
    needed = {name for name in wanted if needs_head or name.startswith(ENCODER_PREFIX)}
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    kinds = {
        "missing": sorted(needed - set(state) - _OPTIONAL),
        "unknown to the model": sorted(set(state) - set(wanted)),
        "of another shape": shapes,
        "no real numbers": [name for name in sorted(state) if not state[name].is_floating_point()],
        "not finite": [name for name in sorted(state) if not bool(torch.isfinite(state[name]).all())],
    }
    return [
        f"  {len(names)} {kind}: {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
        for kind, names in kinds.items()
        if names
    ]


def _problem(where: str, found: object, expected: str) -> str:
    return f"  {where}: found {found}; expected {expected}"
