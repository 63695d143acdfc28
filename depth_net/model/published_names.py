"""What the names of published files say of the weights in them: family, depth range and encoder.

Published metric and relative files have the same tensors under the same names, and none states its range: a model that
was trained to 80 m gives a quarter of each depth where 20 m are assumed. A file may have been renamed, so a name that
is exactly a published one counts as a fact, one that merely contains its words as a doubt. PyTorch is not imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from depth_net.config.experiment import ExperimentConfig

_RANGES_M: Final = {"hypersim": 20.0, "indoor": 20.0, "vkitti": 80.0, "outdoor": 80.0}
_ENCODERS: Final = {"small": "vits", "base": "vitb", "large": "vitl", "giant": "vitg"}
_SIZE: Final = r"(?P<encoder>vit[sblg]|small|base|large|giant)"
_METRIC: Final = rf"metric[-_](?P<data>{'|'.join(_RANGES_M)})"
_EXACT: Final = re.compile(rf"(?:.*--)?depth[-_]anything[-_]v2[-_](?:{_METRIC}[-_])?{_SIZE}(?:[-_]hf)?")
_LIKE: Final = re.compile(rf"(?:^|.*[-_.]){_METRIC}(?:[-_.]{_SIZE})?(?:[-_.].*)?$")
_FIRST_VERSION: Final = re.compile(r"(?:.*--)?depth[-_]anything[-_](?:vit[sbl]14|(?:small|base|large)-hf)")
FIRST_VERSION: Final = "Depth Anything V1, whose head reads other layers of the encoder than that of V2"
_PLAIN_STEMS: Final = ("model", "pytorch_model")
_PARENTS: Final = 3
"""Folders above a file or folder without a name of its own: <name>/snapshots/<hash>/model.safetensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedName:
    """What a name says.

    Attributes:
        text: The name.
        is_exact: It is the name of a published file, not one that only has its words.
        family: The family.
        max_depth_m: Upper end of the depth range in metres; None for the relative family.
        encoder: Name of the encoder, where the name has one.
    """

    text: str
    is_exact: bool
    family: ModelType
    max_depth_m: float | None
    encoder: str | None


def published_name(path: Path) -> PublishedName | None:
    """Return what the name of a file or folder says; None if it is no published one."""
    for text in _names(path):
        found = _EXACT.fullmatch(text) or _LIKE.fullmatch(text)
        if found is not None:
            size, data = found["encoder"] or "", found["data"]
            return PublishedName(
                text=text,
                is_exact=found.re is _EXACT,
                family=ModelType.METRIC if data else ModelType.RELATIVE,
                max_depth_m=_RANGES_M[data] if data else None,
                encoder=_ENCODERS.get(size, size) or None,
            )
    return None


def is_first_version(path: Path) -> bool:
    """Tell whether a name is that of a file of Depth Anything V1, whose head reads other layers of the encoder."""
    return any(_FIRST_VERSION.fullmatch(text) for text in _names(path))


def doubts_of_start(config: ExperimentConfig) -> list[str]:
    """Return a sentence for each contradiction between the spec and the name of the weights that training starts from.

    None of them is an error: a model may be tuned to another range or family than that of its start.
    """
    path = config.train.pretrained_model_path
    name = published_name(Path(path).expanduser()) if path else None
    if name is None:
        is_first = path is not None and is_first_version(Path(path).expanduser())
        return [f"train.pretrained_model_path: {path} is named as {FIRST_VERSION}"] if is_first else []
    doubts, wanted, high = [], config.model.model_type, config.dataset.max_depth
    start = f"train.pretrained_model_path: {name.text}"
    if name.encoder not in (None, config.model.encoder.value):
        doubts.append(f"{start} is named {name.encoder}, model.encoder is {config.model.encoder}; set it to the file's")
    if name.family is not wanted:
        doubts.append(
            f"{start} is named as {name.family}, model.model_type is {wanted}: the encoder fits, the head has to learn "
            "the opposite (near is large in one family and small in the other)"
        )
    elif name.max_depth_m is not None and high is not None and high != name.max_depth_m:
        doubts.append(
            f"{start} was trained to {name.max_depth_m:g} m, dataset.max_depth is {high:g}: all depths start "
            f"{high / name.max_depth_m:.3g} times as large as they should be; set dataset.max_depth="
            f"{name.max_depth_m:g}, or keep it knowingly and train longer"
        )
    return doubts


def _names(path: Path) -> Iterator[str]:
    """Yield the name in small letters without its ending, then those of the folders that may name it."""
    stem = path.name.lower()
    for suffix in (".pth", ".pt", ".safetensors", ".bin", ".ckpt"):
        stem = stem.removesuffix(suffix)
    yield stem
    if stem in _PLAIN_STEMS or stem == path.name.lower():
        yield from (parent.name.lower() for parent in [*path.parents][:_PARENTS])
