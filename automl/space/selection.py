"""What a user asks to search: the items of ``--search`` and of a study's ``space`` block.

``default`` is the skill's own space, ``all`` every flagged parameter, ``recommended`` what an expert would search of
any model: rates, weight decay, dropout, augmentation. ``train.optim.lr`` names one parameter,
``train.optim.*`` several, ``path=low..high`` and ``path=low..high:log`` give a range, ``path={a,b,c}`` options, and
``path=5..5`` pins a value (`automl.space.range_text` reads them). The space is the union of the items; without any, it
is ``default``. Ranges and options narrow the schema's and never leave it. Options keep their spelling until their
parameter is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.errors import Problem, options_text
from automl.skill.fields import is_number
from automl.space.range_text import RangeTextError, read_values
from automl.space.ranges import schema_interval
from automl.space.values import is_same
from automl.spec.overrides import closest
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from automl.skill.model import JsonValue
    from automl.space.derived import UserRange
    from automl.space.values import Scalar

_NUMBERS = {LeafKind.FLOAT, LeafKind.INT}


@dataclass(slots=True)
class Selection:
    """What was asked for: the skill's own space, every flagged parameter, and parameters by name.

    Attributes:
        matched: Parameters that patterns brought in; the usual reasons to leave out still hold for them.
        exact: Parameters named by their path, whatever judgement says.
        ranges: Ranges and options for exact parameters.
    """

    is_default: bool = False
    is_all: bool = False
    is_recommended: bool = False
    matched: list[str] = field(default_factory=list)
    exact: list[str] = field(default_factory=list)
    ranges: dict[str, UserRange] = field(default_factory=dict)


def read_selection(
    items: Sequence[str], *, known: Collection[str], aliases: Mapping[str, str], is_open: bool = False
) -> tuple[Selection, tuple[Problem, ...]]:
    """Read the items of ``--search``; return what was asked for, and every problem.

    The parameter paths of schema and spec are ``known``; the skill has ``aliases`` for some, e.g. ``learning_rate``.
    Where it ``is_open``, a range may be given for any other one too.
    """
    selection = Selection(is_default=not items)
    problems: list[Problem] = []
    for item in items:
        name, separator, value = item.partition("=")
        path = aliases.get(name.strip(), name.strip())
        if item.strip() in {"default", "all", "recommended"}:
            selection.is_recommended |= item.strip() == "recommended"
            selection.is_default |= item.strip() == "default"
            selection.is_all |= item.strip() == "all"
        elif any(mark in path for mark in "*?"):
            problems += _read_pattern(selection, path, item, known)
        elif path not in known and not (is_open and separator) and path.partition("[")[0] not in known:
            suggestion = closest(path, known)
            fix = f"did you mean {suggestion}?" if suggestion else "see the parameters with `automl space`"
            problems.append(_problem(item, "a parameter that neither schema nor spec has", "an existing one", fix))
        else:
            selection.exact.append(path)
            problems += _read_value(selection, path, item, value) if separator else []
    return selection, tuple(problems)


def check_user_range(leaf: SchemaLeaf, asked: UserRange, value: JsonValue) -> list[Problem]:
    """Return what is wrong with a user's range or options; the merged spec's value is always allowed as an option."""
    found = [f"the option {option!r}" for option in asked.choices if not _is_allowed(leaf, option, value)]
    expected = _expected(leaf)
    if not asked.choices:
        ends = [end for end in (asked.low, asked.high) if end is not None]
        shown = "..".join(f"{end:g}" for end in ends)
        if leaf.kind not in _NUMBERS or leaf.choices:
            found = [f"the range {shown}"]
        elif leaf.kind is LeafKind.INT and any(end != int(end) for end in ends):
            found, expected = [f"{shown} for whole numbers"], "whole numbers as ends"
        elif any(_is_outside(leaf, end) for end in ends):
            found = [f"{shown}, outside the schema"]
    fix = "stay inside the schema's range; a skill's author changes the schema itself"
    return [_problem(leaf.path, what, expected, fix) for what in found]


def _read_pattern(selection: Selection, pattern: str, item: str, known: Collection[str]) -> list[Problem]:
    if "=" in item:
        return [_problem(item, "a range for a pattern", "a range for one parameter", "name the parameter in full")]
    matched = [path for path in known if matches(path, (pattern,))]
    selection.matched += matched
    return [] if matched else [_problem(item, "a pattern that fits no parameter", "one or more", "check the pattern")]


def _read_value(selection: Selection, path: str, item: str, value: str) -> list[Problem]:
    try:
        selection.ranges[path] = read_values(value)
    except RangeTextError as error:
        return [_problem(item, error.found, error.expected, error.fix)]
    return []


def _problem(item: str, found: str, expected: str, fix: str) -> Problem:
    return Problem(where=f"--search {item}", found=found, expected=expected, fix=fix)


def _is_allowed(leaf: SchemaLeaf, option: Scalar, value: JsonValue) -> bool:
    if not isinstance(value, dict | list) and is_same(option, value):
        return True
    if leaf.choices:
        return any(is_same(option, choice) for choice in leaf.choices)
    match leaf.kind:
        case LeafKind.BOOL:
            return isinstance(option, bool)
        case LeafKind.TEXT:
            return isinstance(option, str)
        case LeafKind.INT | LeafKind.FLOAT:
            is_kind = leaf.kind is LeafKind.FLOAT or isinstance(option, int)
            return is_kind and is_number(option) and not _is_outside(leaf, option)
        case _:
            return True


def _is_outside(leaf: SchemaLeaf, end: float) -> bool:
    interval = schema_interval(leaf)
    # An excluded end may be named: it stays excluded.
    return end < interval.low or end > interval.high


def _expected(leaf: SchemaLeaf) -> str:
    if leaf.choices:
        return f"one of {options_text(leaf.choices)}"
    if leaf.kind not in _NUMBERS:
        return f"options of type {leaf.kind.value}"
    interval = schema_interval(leaf)
    kind = "whole numbers" if leaf.kind is LeafKind.INT else "numbers"
    return f"{kind} in {interval.low:g}..{interval.high:g}"
