"""What is known about architectures beyond their schemas: the rows of ``architectures.yaml``.

The table is data, read once; a contributor extends it without touching code. How the rows are used is decided in
`automl.space.relevance` and `automl.space.ranges`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING

from automl.config_files import read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automl.skill.model import JsonValue
    from automl.spec.model import Spec

_TABLE = Path(__file__).with_name("architectures.yaml")
_EVERY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRule:
    """When the parameters of a pattern act.

    Attributes:
        path: Pattern of parameter paths.
        parents: Parameter paths, a leading dot for the same block; the first that the spec has counts.
        any_of: Patterns of values under which the parameter acts; empty where ``none_of`` is given.
        none_of: Patterns of values under which it does not.
    """

    path: str
    parents: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    def parent_of(self, path: str, spec: Spec) -> str | None:
        """Return the path of the parent that decides for a parameter, or None if the spec has none."""
        block = path.rpartition(".")[0]
        candidates = [f"{block}{parent}" if parent.startswith(".") else parent for parent in self.parents]
        return next((candidate for candidate in candidates if candidate != path and spec.has(candidate)), None)

    def admits(self, value: JsonValue) -> bool:
        """Tell whether a parameter acts while its parent has a value."""
        text = str(value).lower()
        if self.any_of:
            return matches(text, tuple(pattern.lower() for pattern in self.any_of))
        return not matches(text, tuple(pattern.lower() for pattern in self.none_of))


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRule:
    """A parameter that acts only after a milestone.

    Attributes:
        path: Pattern of parameter paths.
        parent: The parameter that decides whether milestones count, e.g. the schedule.
        any_of: Patterns of its values under which they do.
        first: Parameter path of the milestones, a number or a list of which the smallest counts.
        unit: ``epoch`` or ``step``.
    """

    path: str
    parent: str
    any_of: tuple[str, ...]
    first: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureNotes:
    """Everything the table says for one architecture, the row of all architectures included.

    Attributes:
        conditions: Rules of this architecture first.
        milestones: Parameters that act only after a milestone.
        no_effect: Patterns of parameters that the container's trainer does not read.
        only: Patterns of the only parameters that the skill's text advises to search; empty where it advises nothing.
        yard_stick: Patterns of parameters that change how a run is judged.
        loss_terms: Patterns of parameters of the loss itself.
        throughput: Patterns of parameters that change only the speed.
        shape: Patterns of parameters that pretrained weights pin.
        math_cond: Pattern -> condition in the notation of the schemas.
    """

    conditions: tuple[ConditionRule, ...]
    milestones: tuple[MilestoneRule, ...]
    no_effect: tuple[str, ...]
    only: tuple[str, ...]
    yard_stick: tuple[str, ...]
    loss_terms: tuple[str, ...]
    throughput: tuple[str, ...]
    shape: tuple[str, ...]
    math_cond: Mapping[str, str]


def notes_for(network_arch: str) -> ArchitectureNotes:
    """Return what is known about an architecture."""
    table = _table()
    rows = [row for name in (network_arch, _EVERY) if isinstance(row := table.get(name), dict)]
    return ArchitectureNotes(
        conditions=tuple(rule for row in rows for rule in _conditions(row.get("conditions"))),
        milestones=tuple(rule for row in rows for rule in _milestones(row.get("milestones"))),
        no_effect=_patterns(rows, "no_effect"),
        only=_patterns(rows, "only"),
        yard_stick=_patterns(rows, "yard_stick"),
        loss_terms=_patterns(rows, "loss_terms"),
        throughput=_patterns(rows, "throughput"),
        shape=_patterns(rows, "shape"),
        math_cond={
            path: str(text)
            for row in rows
            if isinstance(conditions := row.get("math_cond"), dict)
            for path, text in conditions.items()
        },
    )


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Tell whether a text matches one of the patterns; only ``*`` and ``?`` are special, brackets are indices."""
    return any(_compiled(pattern).match(text) for pattern in patterns)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.replace("[", "[[]")))


@functools.cache
def _table() -> dict[str, JsonValue]:
    document = read_document(_TABLE)
    return document if isinstance(document, dict) else {}


def _conditions(value: JsonValue) -> list[ConditionRule]:
    rules = value if isinstance(value, list) else []
    return [
        ConditionRule(
            path=str(rule["path"]),
            parents=_texts(rule.get("parent")),
            any_of=_texts(rule.get("any_of")),
            none_of=_texts(rule.get("none_of")),
        )
        for rule in rules
        if isinstance(rule, dict)
    ]


def _milestones(value: JsonValue) -> list[MilestoneRule]:
    rules = value if isinstance(value, list) else []
    return [
        MilestoneRule(
            path=str(rule["path"]),
            parent=str(rule["parent"]),
            any_of=_texts(rule.get("any_of")),
            first=str(rule["first"]),
            unit=str(rule["unit"]),
        )
        for rule in rules
        if isinstance(rule, dict)
    ]


def _patterns(rows: list[dict[str, JsonValue]], key: str) -> tuple[str, ...]:
    return tuple(pattern for row in rows for pattern in _texts(row.get(key)))


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
