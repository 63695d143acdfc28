"""Numbers and durations as people write them: `20`, `1,000`, `1.5`, `twenty-five`, `a couple of`, `half an`."""

from __future__ import annotations

import re

_SMALL_NAMES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_TENS_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {word: value for value, word in enumerate(_SMALL_NAMES.split())}
_TENS = {word: 10 * value for value, word in enumerate(_TENS_NAMES.split(), 2)}
_FIXED = {"single": 1.0, "couple": 2.0, "pair": 2.0, "half": 0.5, "quarter": 0.25, "three quarters": 0.75}
# The longest first: "nine" begins "nineteen".
_SMALL = "|".join(sorted([*_UNITS, *_TENS], key=len, reverse=True))
_WORDS = rf"(?:{'|'.join(_TENS)})[\s-]+(?:{'|'.join(list(_UNITS)[1:10])})|{_SMALL}"
_HUNDREDS = rf"(?:(?:an?|{'|'.join(list(_UNITS)[1:10])})[\s-]+)?hundred(?:[\s-]+(?:and[\s-]+)?(?:{_WORDS}))?"
COUNT = (
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:[.,]\d+)?|[½¼¾]"
    rf"|(?:{_HUNDREDS}|{_WORDS})(?:[\s-]+and[\s-]+a[\s-]+half)?"
    r"|(?:half\s+)?(?:a\s+)?dozen|a\s+single|single|(?:a\s+)?(?:couple|pair)(?:\s+of)?|half(?:\s+an?|\s+of\s+an?)?|(?:a\s+)?half(?:\s+a)?"
    r"|(?:a\s+)?quarter(?:\s+of\s+an?)?|three\s+quarters(?:\s+of\s+an?)?)"
)
"""Regular expression of one number, without groups; digits or words."""
NUMBER = rf"(?:{COUNT}|an?)"
"""The same, with "a" and "an" for one: good before a unit of time, not before what is counted ("give it a try")."""

_HALVES = {"½": 0.5, "¼": 0.25, "¾": 0.75}
# Letters of a unit may touch digits, never a number in words: "an d" is no day.
_GAP = r"(?:(?<=[\d½¼¾])[\s-]*|[\s-]+)"
_LONG_UNIT = r"hours?|hrs?|h|minutes?|mins?|seconds?|secs?|days?|weeks?"
# "3d" and "80 m" are no times, unless an hour stands before them.
_UNIT = rf"(?:{_LONG_UNIT}|s)(?![a-z])"
_LATER_UNIT = rf"(?:{_LONG_UNIT}|[msd])(?![a-z])"
DURATION = (
    rf"(?:{NUMBER}{_GAP}{_UNIT}(?:\s*(?:,|and)?\s*(?:{NUMBER}{_GAP}{_LATER_UNIT}|\d{{1,2}}(?![\d.]|\s*[a-z])))*"
    r"(?:\s+and\s+a\s+(?:half|quarter))?)"
)
"""Regular expression of one duration, without groups: `2h`, `1h30`, `half an hour`, `an hour and a half`."""

_PART = re.compile(rf"({NUMBER}){_GAP}({_LATER_UNIT})|(\d{{1,2}})(?![\d.])|and\s+a\s+(half|quarter)", re.IGNORECASE)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "d": 86400.0, "w": 604800.0}


def read_number(text: str) -> float:
    """Return the number of a match of `NUMBER`.

    Raises:
        ValueError: it is none.
    """
    plain = " ".join(text.lower().replace("-", " ").split())
    if plain in _HALVES:
        return _HALVES[plain]
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+", plain):
        return float(plain.replace(",", ""))
    if plain[0].isdigit():
        return float(plain.replace(",", "."))
    half = 0.5 if plain.endswith("and a half") else 0.0
    plain = plain.removesuffix("and a half").strip()
    plain = re.sub(r"\s+(?:of\s+an?|of|an?)$", "", plain)
    if plain.endswith("dozen"):
        return 6.0 if plain.startswith("half") else 12.0
    fixed = _FIXED.get(plain.removeprefix("a "))
    return _sum(plain) + half if fixed is None else fixed


def read_duration_s(text: str) -> float:
    """Return the seconds of a match of `DURATION`.

    Raises:
        ValueError: it is none.
    """
    total = 0.0
    unit_s = 0.0
    for match in _PART.finditer(text):
        number, unit, bare, fraction = match.groups()
        if number is not None:
            unit_s = _SECONDS[unit[0].lower()]
            total += read_number(number) * unit_s
        elif bare is not None:
            # 1h30: what follows a unit without one of its own is the next smaller one.
            total += float(bare) * unit_s / 60
        elif fraction is not None:
            total += unit_s * (0.5 if fraction.lower() == "half" else 0.25)
    if total <= 0:
        raise ValueError(f"{text!r} is not a duration")
    return total


def _sum(words: str) -> float:
    total = 0.0
    for word in words.split():
        if word in {"a", "an"}:
            total += 1
        elif word == "hundred":
            total = (total or 1) * 100
        elif word in _UNITS:
            total += _UNITS[word]
        elif word in _TENS:
            total += _TENS[word]
        elif word != "and":
            raise ValueError(f"{words!r} is not a number")
    return total
