"""What a user asks to search: the items of ``--search`` and of a study's ``space`` block.

``default`` is the skill's own space, ``all`` every flagged parameter. ``train.optim.lr`` names one parameter,
``train.optim.*`` several, ``path=low..high`` and ``path=low..high:log`` give a range, ``path={a,b,c}`` options, and
``path=5..5`` pins a value. The space is the union of the items; without any, it is ``default``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.config_files import parse_scalar
from automl.errors import Problem
from automl.space.ranges import UserRange
from automl.spec.overrides import closest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from automl.space.values import Scalar

_RANGE = re.compile(r"\s*(?P<low>[^:]*?)\s*\.\.\s*(?P<high>[^:]*?)\s*(?::\s*(?P<scale>\w+)\s*)?")
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
