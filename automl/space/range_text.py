"""Ranges, options and conditions as text: the one reader of ``--search`` and of the `search` key of a study file.

``1e-5..1e-1``, ``1e-5..1e-1 log`` and ``1e-5..1e-1:log`` are ranges, ``{adam, sgd}`` and ``[adam, sgd]`` options. The
scales are ``log``, ``linear`` and ``one_minus_log``; `` elastic`` behind them lets the ends move out where the best
trials gather, as those of a derived range do. `` when opt=sgd`` behind either makes the parameter act only while
another one has that value, or one of ``{a, b}``; several conditions are joined by `` and ``. Options keep their
spelling until their parameter is known.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from automl.config_files import parse_scalar
from automl.skill.fields import is_number
from automl.space.derived import UserRange
from automl.spec.typed import typed

if TYPE_CHECKING:
    from automl.space.values import Scalar

SCALES = ("log", "linear", "one_minus_log")
_RANGE = re.compile(r"(?P<low>[^:\s]+?)\s*\.\.\s*(?P<high>[^:\s]+)\s*(?:(?::|\s)\s*(?P<scale>\w+))?")
_ELASTIC = re.compile(r"[:\s]\s*elastic$")
_UNQUOTED = r'(?=(?:[^"\\]|\\.|"(?:[^"\\]|\\.)*")*$)'
"""Outside of quotation marks: as many follow as are closed."""
_WHEN = re.compile(rf"\s+when\s+{_UNQUOTED}", re.DOTALL)
_AND = re.compile(rf"\s+and\s+(?=[^\s=]+\s*=){_UNQUOTED}", re.DOTALL)
_EXPECTED = "low..high, low..high:log, or options as {a,b,c}"


class RangeTextError(ValueError):
    """A text is no range and no list of options; says what was found, what is expected and what to write."""

    def __init__(self, found: str, expected: str, fix: str) -> None:
        super().__init__(found)
        self.found, self.expected, self.fix = found, expected, fix


def read_values(text: str) -> UserRange:
    """Read what follows ``path=``.

    Raises:
        RangeTextError: it is neither a range nor options, or a condition cannot be read.
    """
    values, *conditions = _WHEN.split(text.strip())
    when = tuple(_condition(part) for condition in conditions for part in _AND.split(condition))
    options = _options(values)
    if options is not None:
        return UserRange(choices=tuple({(type(option), option): option for option in options}.values()), when=when)
    return _range(values, when)


def _range(text: str, when: tuple[tuple[str, tuple[Scalar, ...]], ...]) -> UserRange:
    if "..." in text:
        found = f"the range {text!r}, whose third point may belong to a number"
        raise RangeTextError(found, "two points between the ends", "write e.g. 0..1, or 0..0.1")
    ends = _ELASTIC.sub("", text)
    match = _RANGE.fullmatch(ends)
    low, high, scale = (_number(match["low"]), _number(match["high"]), match["scale"]) if match else (None, None, None)
    if low is None or high is None or scale not in {None, *SCALES}:
        raise RangeTextError(f"the range {text!r}", _EXPECTED, "write e.g. 1e-5..1e-3:log")
    if low > high:
        raise RangeTextError(f"a range that ends at {high:g}, below {low:g}", "low..high", "exchange the two ends")
    if scale == "log" and low <= 0:
        found = f"a logarithmic range from {low:g}"
        raise RangeTextError(found, "a start above 0", "raise the start, or drop :log")
    if scale == "one_minus_log" and high >= 1:
        found = f"a range to {high:g} on the scale of 1 - value"
        raise RangeTextError(found, "an end below 1", "lower the end, e.g. to 0.999")
    log = None if scale is None else scale == "log"
    is_to_one, is_elastic = scale == "one_minus_log", ends != text
    return UserRange(low=low, high=high, log=log, log_to_one=is_to_one, is_elastic=is_elastic, when=when)


def _options(text: str) -> list[Scalar] | None:
    """Return the options of a text; None where it does not look like options.

    Raises:
        RangeTextError: there are none, or one is a list or a mapping.
    """
    if text[:1] + text[-1:] not in {"{}", "[]"}:
        return None
    # A comma between quotation marks belongs to an option.
    has_list = text.startswith("[") or '"' in text
    listed = parse_scalar(f"[{text[1:-1]}]", is_spelled=True) if has_list else None
    parts = [part for part in text[1:-1].split(",") if part.strip()]
    if not isinstance(listed, list) and (torn := next((part for part in parts if part.strip().startswith('"')), None)):
        fix = "close its quotation marks, and write no characters that are no Unicode"
        raise RangeTextError(f"options that cannot be read, from {torn.strip()!r:.80} on", "texts as in YAML", fix)
    found = listed if isinstance(listed, list) else [parse_scalar(part, is_spelled=True) for part in parts]
    options = [option for option in found if not isinstance(option, dict | list)]
    if not found or len(options) < len(found):
        raise RangeTextError("no plain options", "path={a,b,c}", "write the options, separated by commas")
    return options


def _condition(text: str) -> tuple[str, tuple[Scalar, ...]]:
    path, _, values = (part.strip() for part in text.partition("="))
    value = parse_scalar(values, is_spelled=True)
    options = _options(values) or ([] if isinstance(value, dict | list) else [value])
    if not path or not values or not options:
        raise RangeTextError(f"the condition {text!r}", "when path=value or path={a,b}", "write e.g. when opt=sgd")
    return path, tuple(options)


def _number(text: str) -> int | float | None:
    value = typed(parse_scalar(text, is_spelled=True), None)
    return value if is_number(value) and math.isfinite(value) else None
