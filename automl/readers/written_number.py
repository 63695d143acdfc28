"""What stands behind a metric's name in a log as a number, and what is none or may be one of two."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from automl.readers.status_file import number_of

if TYPE_CHECKING:
    from re import Match

NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|(?:nan|inf(?:inity)?)(?:\.0)?)"
_WRAPPED = r"(?:tensor|array|(?:np|numpy)\.float\d\d)\("
BEHIND_SIGN = re.compile(rf"[=:]\s{{0,40}}[\"']?(?:{_WRAPPED})?({NUMBER})(\w*(?:[.,:/]\d\w*)*)", re.IGNORECASE)
"""The sign behind a name, and what begins as a number there: the number, and what is joined to it."""
BAR_BEHIND = re.compile(r"%(?:\|[#\u2580-\u259f]{0,300}\d?\s{0,300}\||\s{1,3}[━╸╺])")
"""What stands behind a share that says how far a bar is: ``mAP50-95: 100%|###| 4/4``."""
RANGE_OF_NAME = re.compile(
    r"(?<=\d):(?:(?:\d*\.)?\d{1,3}\]?[\"']?\s{0,3}[=:]\s{0,40}[\"'(\w.+-]"
    r"|(?:(?<=[p@_]50:)|(?<=\.5:)|(?<=\.50:))(?:0?\.)?95(?![\w.%]))",
    re.IGNORECASE,
)
"""What stands behind the first of two thresholds in a name: ``mAP50:95: 0.4``, ``mAP@.5:.95``."""
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+\.\d+")
_WHOLE = r"(\d{1,18}|\d{1,3}(?:,\d{3}){1,5})"
_PARTS = re.compile(rf"{_WHOLE}\s?/\s?{_WHOLE}")
_LONGEST_NAMES = 120
_LONGEST_GROUP = 4
"""Of digits and a sign, before a group of three."""
_APOSTROPHES = re.compile(r"(?:['\u2019]\d{3}){1,5}(?:\.\d{0,18})?(?![\w'\u2019])")
_GROUP = re.compile(r"[ \u00a0\u202f]\d{3}(?![\w%/:])")
_POWER = re.compile(r"\s?[x\u00d7*·]\s?10\s?(?:\^|\*\*)\s?[({]?([-+]?\d{1,3})[)}]?(?![\w.])")
_TEN = re.compile(r"([-+]?)10(?:\^|\*\*)[({]?([-+]?\d{1,3})[)}]?")
_OPERAND = r"[-+]?(?:\d{1,18}\.?\d{0,18}|\.\d{1,18})(?:e[-+]?\d{1,3})?"
_RESULT = re.compile(rf"(?:\s?[-+*x\u00d7·]\s?{_OPERAND}){{1,9}}\s?=\s?({_OPERAND})(?![\w.])", re.IGNORECASE)
"""Behind the first number of an expression: ``0.5 + 0.2 = 0.7``."""
_OPERATION = re.compile(
    rf"(?:\^|\*\*)[({{]?[-+]?\d{{1,3}}[)}}]?|(?:[*\u00d7·]|\s[*x\u00d7·]\s){_OPERAND}|(?:\s?\+\s?{_OPERAND}){{2,9}}"
)
"""The same without a result. One ``+`` may stand before a deviation, as in the logs of cross-validation."""
_ALSO = r"(?:\s?[,&|]\s?|\sand\s)"
_NAMES = re.compile(
    rf"(?<![\w.@/-])((?:(?:\w{{0,20}}(?:loss|acc|accuracy|f1|map|auc|iou)\w{{0,9}}|train|val|valid|test){_ALSO}){{1,9}})$",
    re.IGNORECASE,
)
"""Metrics before the name of one: ``val_loss, val_acc: 0.9, 0.5``."""
_UNIT_BEHIND = r"[\w/=:.]|\s?(?:[/=:]|(?:s|ms|secs?|seconds|mins?|minutes|h|hours?|it|epochs?|steps?)\b)"
_VALUES = re.compile(rf"%?(?:{_ALSO}(?>{_OPERAND})%?(?!{_UNIT_BEHIND})){{1,9}}", re.IGNORECASE)
_EXPONENT = re.compile(r"\se[-+]\d{1,3}(?![\w.])", re.IGNORECASE)
_SECOND = re.compile(
    rf"\s/\s{NUMBER}[\d,]*|\s*(?:[-=~]{{1,3}}>|[→⟶⇒➜])|\sto\s[-+]?\.?\d|[-\u2013]\d|\.\.\d", re.IGNORECASE
)
"""A number of two: of a share, the one before and the new one, or the ends of a range."""
_UNIT = re.compile(r"\s?‰|\s[kK]\b(?!\s?[=:])|\s?[x\u00d7]\s?10[⁰¹²³⁴-⁹⁻]")


def number_at(line: str, match: Match[str]) -> tuple[str, float | str | None]:
    """Return what is written at a match of `BEHIND_SIGN`, and its number as `number_of` has it; None for none.

    ``9912/10000`` is a share. ``1,234.5`` and ``1'234.5`` have thousands; ``1,234`` may have them or a decimal comma,
    ``1 234`` may be two numbers.
    """
    text, end = match[1] + match[2], match.end()
    behind = line[end : end + 1]
    if behind and behind in " ->=~+^'\u2019‰x\u00d7*·→⟶⇒➜\u2013.\u00a0\u202f":
        text += _joined(line, text, end)
    return text, _plain(text)


def number_of_several(line: str, begin: int, match: Match[str]) -> tuple[str, float | str | None] | None:
    """Return the number of the last of several names, which begins there, and its text; the match is the first one's.

    None where names and numbers are not one behind the other.
    """
    values = _VALUES.match(line, match.end())
    names = _NAMES.search(line, max(0, begin - _LONGEST_NAMES), begin) if values is not None else None
    if values is None or names is None:
        return None
    texts = re.split(_ALSO, values[0])
    if len(texts) - 1 == len(re.findall(_ALSO, names[0])):
        return texts[-1], number_of(texts[-1].rstrip("%"))
    return match[1] + values[0], None


def _joined(line: str, text: str, end: int) -> str:
    """Return what behind a text belongs to its number."""
    for pattern in (_SECOND, _RESULT, _POWER, _UNIT, _OPERATION, _EXPONENT):
        if (found := pattern.match(line, end)) is not None:
            return found[0]
    if text.lstrip("+-").isdigit() and len(text) <= _LONGEST_GROUP:
        for pattern in (_APOSTROPHES, _GROUP):
            if (found := pattern.match(line, end)) is not None:
                return found[0]
    return ""


def _plain(text: str) -> float | str | None:
    if (parts := _PARTS.fullmatch(text)) is not None:
        part, whole = (int(number.replace(",", "")) for number in parts.groups())
        return part / whole if 0 < whole >= part else None
    if (result := _RESULT.search(text)) is not None:
        return number_of(result[1])
    if (ten := _TEN.fullmatch(text)) is not None:
        return number_of(f"{ten[1]}1e{ten[2]}")
    if (power := _POWER.search(text)) is not None:
        return number_of(f"{text[: power.start()]}e{power[1]}")
    if (exponent := _EXPONENT.search(text)) is not None:
        return number_of(f"{text[: exponent.start()]}{exponent[0].strip()}")
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    elif "'" in text or "\u2019" in text:
        text = text.replace("'", "").replace("\u2019", "")
    return number_of(text.lower().removesuffix(".0"))
