"""Why something happened in a study, as data; the sentence about it is made here and nowhere else."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class OriginKind(StrEnum):
    """What proposed an assignment."""

    TEMPLATE = "template"
    """The values of the skill's template."""
    DEFAULTS = "defaults"
    """What a program that no skill describes has by default."""
    EARLIER_STUDY = "earlier_study"
    """A good trial of an earlier study in a results folder."""
    TRACKED_STUDY = "tracked_study"
    """A good trial of an earlier study on the tracking server."""
    RECIPE = "recipe"
    """The values of a published training."""
    GIVEN = "given"
    """Given with the plan."""
    PRIOR = "prior"
    """Near the template; of studies of earlier versions."""
    SOBOL = "sobol"
    RANDOM = "random"
    GRID = "grid"
    GP = "gp"
    TRANSFER = "transfer"
    """A model of this study and earlier ones."""
    TPE = "tpe"
    CMAES = "cmaes"
    NSGA2 = "nsga2"
    LLM = "llm"
    PLUGIN = "plugin"
    """A sampler of another distribution, which the detail names."""
    CLONE = "clone"
    """Near the assignment of another trial, whose checkpoint it starts from."""
    REPLICATE = "replicate"
    """Another trial again, with another seed of the trainer."""
    RESTORED = "restored"
    """Unknown: read from the result of a trial that an earlier version has written."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an assignment comes from.

    Attributes:
        kind: What proposed it.
        parent: Number of the trial it is based on, in this study or in the earlier one; None where there is none.
        epoch: Zero-based epoch of the parent's checkpoint, of a clone.
        seed: The trainer's seed, of a replicate.
        study: Name of the earlier study.
        detail: Text shown with it: what the earlier study measured, or the name that the plan gives the point.
    """

    kind: OriginKind
    parent: int | None = None
    epoch: int | None = None
    seed: int | None = None
    study: str | None = None
    detail: str = ""

    def __str__(self) -> str:
        """Return the sentence that is shown."""
        match self.kind:
            case OriginKind.CLONE:
                return f"clone of trial {self.parent} after epoch {(self.epoch or 0) + 1}"
            case OriginKind.REPLICATE:
                return f"trial {self.parent} with seed {self.seed}"
            case OriginKind.EARLIER_STUDY | OriginKind.TRACKED_STUDY:
                where = " on the tracking server" if self.kind is OriginKind.TRACKED_STUDY else ""
                return f"earlier study {self.study}{where}, trial {self.parent} ({self.detail})"
            case OriginKind.RECIPE | OriginKind.GIVEN | OriginKind.PLUGIN:
                of = "recipe of " if self.kind is OriginKind.RECIPE else ""
                return f"{of}{self.detail or self.kind.value}"
            case OriginKind.DEFAULTS:
                return "the program's own defaults" + (f", but {self.detail}" if self.detail else "")
            case _:
                return self.kind.value

    @property
    def of_first(self) -> str:
        """What is said of trial 0: whose values it has."""
        return "the template's own values" if self.kind is OriginKind.TEMPLATE else str(self)

    def document(self) -> dict[str, Any]:
        """Return the JSON form: ``kind``, and what else is known."""
        return {name: value for name, value in asdict(self).items() if value not in {None, ""}}


_OLD_TEXTS = {
    OriginKind.CLONE: re.compile(r"copy of trial (?P<parent>\d+) after epoch (?P<epoch>\d+)"),
    OriginKind.REPLICATE: re.compile(r"trial (?P<parent>\d+) with seed (?P<seed>-?\d+)"),
    OriginKind.TRACKED_STUDY: re.compile(
        r"earlier study (?P<study>.+) on the tracking server, trial (?P<parent>\d+) \((?P<detail>.*)\)"
    ),
    OriginKind.EARLIER_STUDY: re.compile(r"earlier study (?P<study>.+), trial (?P<parent>\d+) \((?P<detail>.*)\)"),
}


def origin_from(document: Mapping[str, Any] | str) -> Origin:
    """Read the JSON form of an origin, or the text that earlier versions wrote in its place.

    Raises:
        ValueError: the kind is unknown.
        TypeError: a field is unknown.
        KeyError: there is no kind.
    """
    if not isinstance(document, str):
        return Origin(**{**document, "kind": OriginKind(document["kind"])})
    for kind, pattern in _OLD_TEXTS.items():
        if (match := pattern.fullmatch(document)) is not None:
            found: dict[str, Any] = match.groupdict()
            found |= {name: int(found[name]) for name in ("parent", "epoch", "seed") if name in found}
            if "epoch" in found:
                found["epoch"] -= 1  # the text counts from 1
            return Origin(kind, **found)
    named = {kind.value: kind for kind in OriginKind if kind not in _OLD_TEXTS}
    return Origin(named[document]) if document in named else Origin(OriginKind.GIVEN, detail=document)


def origins_document(origins: Iterable[Origin]) -> dict[str, list[Any]]:
    """Return the fields of a plan's document that hold the origins of its first trials: as text and as data."""
    known = tuple(origins)
    return {"first_origins": [str(o) for o in known], "first_origin_data": [o.document() for o in known]}
