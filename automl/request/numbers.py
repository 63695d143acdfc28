"""Numbers and durations as people write them: `20`, `1,000`, `10k`, `twenty-five`, `half an hour`, `1h30`."""

from __future__ import annotations

import itertools
import re

_NAMES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_VALUES = {word: float(value) for value, word in enumerate(_NAMES.split())}
_TENS_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10.0 * value for value, word in enumerate(_TENS_NAMES.split(), 2)}
_VALUES |= _TENS | {
    "a dozen": 12.0,
    "half a dozen": 6.0,
    "two dozen": 24.0,
    "three dozen": 36.0,
    "a": 1.0,
    "an": 1.0,
    "half": 0.5,
    "half a": 0.5,
    "half an": 0.5,
}
# The longest first: "nine" begins "nineteen".
WORDS = "|".join(sorted(_VALUES.keys() - {"a", "an"}, key=len, reverse=True)).replace(" ", r"\s+")
"""Regular expression of the words that are numbers."""
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+(?:\.(?!\d{3}(?!\d))\d+)?(?![\d,.]*\d))"
_BELOW_100 = rf"(?:(?:{'|'.join(_TENS)})[\s-](?:{'|'.join(list(_VALUES)[1:10])})|{WORDS})"
_HUNDREDS = rf"(?:an?|{'|'.join(list(_VALUES)[1:10])})\s+hundred(?:\s+(?:and\s+)?{_BELOW_100})?(?!\w)"
COUNT = rf"(?:{_DIGITS}(?:\s?k(?![a-z]))?|{_HUNDREDS}|{_BELOW_100})"
"""Regular expression of one number, without groups; digits or words."""
_UNIT = r"(?:hours?|hrs?|h(?!\s?[12]00s?\b)|minutes?|mins?|seconds?|secs?|s|days?|weeks?)(?![a-z])"
_GAP = r"(?:(?<=\d)[\s-]*|[\s-]+)"
# "3d" and "80 m" are no times; `1h30` is: what follows hours without a unit is minutes.
DURATION = (
    r"(?:\d+\s?h\s?\d{1,2}(?:\s?m(?:in)?)?(?![\da-z])"
    rf"|(?:{COUNT}|an?)\s+and\s+a\s+half\s+{_UNIT}|(?:{COUNT}|an?){_GAP}{_UNIT}\s+and\s+a\s+half(?![a-z-])"
    rf"|(?:{COUNT}|an?){_GAP}{_UNIT}(?:(?:\s+and\s+|\s*){COUNT}{_GAP}{_UNIT})*)"
)
"""Regular expression of one duration, without groups: `2h`, `1h30`, `half an hour`, `2 hours and 30 minutes`."""
NAMED_DURATION = rf"(?:{DURATION}|{_DIGITS}\s?[dm](?![a-z]))"
"""Regular expression of a duration beside a word for time, where `90m` and `2d` are none of anything else."""

_PART = re.compile(rf"({COUNT}|an?){_GAP}({_UNIT}|[dm](?![a-z]))", re.IGNORECASE)
_AND_A_HALF = re.compile(r"\s+and\s+a\s+half", re.IGNORECASE)
_HOURS_AND_MINUTES = re.compile(r"(\d+)\s?h\s?(\d{1,2})(?:\s?m(?:in)?)?", re.IGNORECASE)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "d": 86400.0, "w": 604800.0}


def read_number(text: str) -> float:
    """Return the number of a match of `COUNT`, or of "a" and "an"."""
    plain = " ".join(text.lower().replace("-", " ").split())
    if plain[0].isdigit():
        thousands = 1000.0 if plain.endswith("k") else 1.0
        return float(plain.removesuffix("k").replace(",", "")) * thousands
    hundreds, _, rest = plain.rpartition(" hundred")
    if hundreds:
        rest = rest.strip().removeprefix("and ")
        return 100.0 * _VALUES[hundreds] + (read_number(rest) if rest else 0.0)
    return _VALUES[plain] if plain in _VALUES else sum(_VALUES[word] for word in plain.split())


def is_one_duration(text: str) -> bool:
    """Return whether the units of a match of `DURATION` fall; "2 hours 3 hours" are two durations."""
    seconds = [_SECONDS[unit[0].lower()] for _, unit in _PART.findall(text)]
    return all(before > after for before, after in itertools.pairwise(seconds))


def read_duration_s(text: str) -> float:
    """Return the seconds of a match of `DURATION`."""
    if short := _HOURS_AND_MINUTES.fullmatch(text.strip()):
        return float(short[1]) * 3600 + float(short[2]) * 60
    if _AND_A_HALF.search(text):
        number, unit = _PART.findall(_AND_A_HALF.sub("", text))[0]
        return (read_number(number) + 0.5) * _SECONDS[unit[0].lower()]
    return sum(read_number(number) * _SECONDS[unit[0].lower()] for number, unit in _PART.findall(text))
