"""What a user asks to search: the items of ``--search`` and of a study's ``space`` block.

``default`` is the skill's own space, ``all`` every flagged parameter. ``train.optim.lr`` names one parameter,
``train.optim.*`` several, ``path=low..high`` and ``path=low..high:log`` give a range, ``path={a,b,c}`` options, and
``path=5..5`` pins a value. The space is the union of the items; without any, it is ``default``. Ranges and options
narrow the schema's and never leave it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.config_files import parse_scalar
from automl.errors import Problem
from automl.space.ranges import UserRange, schema_interval
from automl.space.values import is_same
from automl.spec.overrides import closest
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from automl.skill.model import JsonValue
    from automl.space.values import Scalar

_RANGE = re.compile(r"\s*(?P<low>[^:]*?)\s*\.\.\s*(?P<high>[^:]*?)\s*(?::\s*(?P<scale>\w+)\s*)?")
_NUMBERS = {LeafKind.FLOAT, LeafKind.INT}
_CHOICES = re.compile(r"\s*\{(?P<options>.*)\}\s*", re.DOTALL)


@dataclass(slots=True)
class Selection:
    """What was asked for.

    Attributes:
        is_default: The skill's own space belongs to it.
        is_all: Every flagged parameter belongs to it.
        matched: Parameters that patterns brought in; the usual reasons to leave out still hold for them.
        exact: Parameters named by their path: searched whatever the table of reasons says.
        ranges: Ranges and options for exact parameters.
    """

    is_default: bool = False
    is_all: bool = False
    matched: list[str] = field(default_factory=list)
    exact: list[str] = field(default_factory=list)
    ranges: dict[str, UserRange] = field(default_factory=dict)


def read_selection(
    items: Sequence[str], *, known: Collection[str], aliases: Mapping[str, str]
) -> tuple[Selection, tuple[Problem, ...]]:
    """Read the items of ``--search``.

    Args:
        items: As the user wrote them.
        known: Parameter paths of the schema and of the spec.
        aliases: Short names of the skill, e.g. ``learning_rate``.

    Returns:
        What was asked for, and every problem.
    """
    selection = Selection(is_default=not items)
    problems: list[Problem] = []
    for item in items:
        name, separator, value = item.partition("=")
        path = aliases.get(name.strip(), name.strip())
        if item.strip() in {"default", "all"}:
            selection.is_default |= item.strip() == "default"
            selection.is_all |= item.strip() == "all"
        elif any(mark in path for mark in "*?"):
            problems += _read_pattern(selection, path, item, known, has_value=bool(separator))
        elif path not in known and path.partition("[")[0] not in known:
            suggestion = closest(path, known)
            fix = f"did you mean {suggestion}?" if suggestion else "see the parameters with `automl space`"
            problems.append(_problem(item, "a parameter that neither schema nor spec has", "an existing one", fix))
        else:
            selection.exact.append(path)
            problems += _read_value(selection, path, item, value) if separator else []
    return selection, tuple(problems)


def check_user_range(leaf: SchemaLeaf, asked: UserRange, value: JsonValue) -> list[Problem]:
    """Return what is wrong with a user's range.

    Args:
        leaf: The parameter.
        asked: The range or the options.
        value: The merged spec's value, which is always allowed as an option.
    """
    if asked.choices:
        return [problem for option in asked.choices if (problem := _check_option(leaf, option, value)) is not None]
    problem = _check_ends(leaf, asked)
    return [problem] if problem is not None else []


def _read_pattern(
    selection: Selection, pattern: str, item: str, known: Collection[str], *, has_value: bool
) -> list[Problem]:
    if has_value:
        return [_problem(item, "a range for a pattern", "a range for one parameter", "name the parameter in full")]
    matched = [path for path in known if matches(path, (pattern,))]
    selection.matched += matched
    return [] if matched else [_problem(item, "a pattern that fits no parameter", "one or more", "check the pattern")]


def _read_value(selection: Selection, path: str, item: str, value: str) -> list[Problem]:
    found = _CHOICES.fullmatch(value)
    if found is not None:
        options = _split_options(found["options"])
        if not options or any(isinstance(option, dict | list) for option in options):
            return [_problem(item, "no plain options", "path={a,b,c}", "write the options, separated by commas")]
        selection.ranges[path] = UserRange(choices=tuple(o for o in options if not isinstance(o, dict | list)))
        return []
    match = _RANGE.fullmatch(value)
    low, high = (_number(match["low"]), _number(match["high"])) if match is not None else (None, None)
    scale = match["scale"] if match is not None else None
    expected = "path=low..high, path=low..high:log or path={a,b,c}"
    if low is None or high is None or scale not in {None, "log", "linear"}:
        return [_problem(item, f"the range {value!r}", expected, "write e.g. train.optim.lr=1e-5..1e-3:log")]
    if low > high:
        return [_problem(item, f"a range that ends at {high:g}, below {low:g}", "low..high", "exchange the two ends")]
    if scale == "log" and low <= 0:
        return [_problem(item, f"a logarithmic range from {low:g}", "a start above 0", "raise the start, or drop :log")]
    selection.ranges[path] = UserRange(low=low, high=high, log=None if scale is None else scale == "log")
    return []


def _split_options(text: str) -> list[Scalar | list[object] | dict[str, object]]:
    options = [parse_scalar(part) for part in text.split(",") if part.strip()]
    return list(dict.fromkeys(options)) if all(isinstance(o, str) for o in options) else list(options)  # type: ignore[arg-type] # all are text


def _number(text: str) -> float | None:
    value = parse_scalar(text)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or abs(value) == float("inf") or value != value:  # type: ignore[arg-type] # noqa: PLR0124 # NaN
        return None
    return value  # type: ignore[return-value] # is_number; ints stay ints


def _problem(item: str, found: str, expected: str, fix: str) -> Problem:
    return Problem(where=f"--search {item}", found=found, expected=expected, fix=fix)


def _check_ends(leaf: SchemaLeaf, asked: UserRange) -> Problem | None:
    ends = [end for end in (asked.low, asked.high) if end is not None]
    shown = "..".join(f"{end:g}" for end in ends)
    if leaf.kind not in _NUMBERS or leaf.choices:
        return _outside(leaf, f"the range {shown}", _expected(leaf))
    if leaf.kind is LeafKind.INT and any(end != int(end) for end in ends):
        return _outside(leaf, f"{shown} for whole numbers", "whole numbers as ends")
    if any(_is_outside(leaf, end) for end in ends):
        return _outside(leaf, f"{shown}, outside the schema", _expected(leaf))
    return None


def _check_option(leaf: SchemaLeaf, option: Scalar, value: JsonValue) -> Problem | None:
    if not isinstance(value, dict | list) and is_same(option, value):
        return None
    if leaf.choices:
        is_listed = any(is_same(option, choice) for choice in leaf.choices)
        return None if is_listed else _outside(leaf, f"the option {option!r}", _expected(leaf))
    is_number = isinstance(option, int | float) and not isinstance(option, bool)
    fits = {
        LeafKind.BOOL: isinstance(option, bool),
        LeafKind.INT: is_number and isinstance(option, int),
        LeafKind.FLOAT: is_number,
        LeafKind.TEXT: isinstance(option, str),
    }.get(leaf.kind, True)
    if not fits or (is_number and leaf.kind in _NUMBERS and _is_outside(leaf, float(option or 0))):
        return _outside(leaf, f"the option {option!r}", _expected(leaf))
    return None


def _is_outside(leaf: SchemaLeaf, end: float) -> bool:
    interval = schema_interval(leaf, leaf.math_cond)
    # An excluded end may be named: it stays excluded.
    is_below = interval.low is not None and end < interval.low
    return is_below or (interval.high is not None and end > interval.high)


def _expected(leaf: SchemaLeaf) -> str:
    if leaf.choices:
        return f"one of {', '.join(map(str, leaf.choices))}"
    if leaf.kind not in _NUMBERS:
        return f"options of type {leaf.kind.value}"
    interval = schema_interval(leaf, leaf.math_cond)
    low = "-inf" if interval.low is None else f"{interval.low:g}"
    high = "inf" if interval.high is None else f"{interval.high:g}"
    kind = "whole numbers" if leaf.kind is LeafKind.INT else "numbers"
    return f"{kind} in {low}..{high}"


def _outside(leaf: SchemaLeaf, found: str, expected: str) -> Problem:
    fix = "stay inside the schema's range; a skill's author changes the schema itself"
    return Problem(where=f"--search {leaf.path}", found=found, expected=expected, fix=fix)
