"""Durations as people write them: `90`, `90s`, `20min`, `1h30min`, `2 hours`."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "second"), 1),
    **dict.fromkeys(("m", "min", "minute"), 60),
    **dict.fromkeys(("h", "hour"), 3600),
    **dict.fromkeys(("d", "day"), 86400),
}


def parse_duration_s(text: str | float) -> float:
    """Return seconds: of a number of them, or of a text of numbers with units (s, min, h, d and their long forms).

    Raises:
        ValueError: it is not a positive duration.
    """
    if isinstance(text, int | float):
        total = float(text)
    else:
        compact = text.strip().lower()
        parts = _PART.findall(compact)
        rest = _PART.sub("", compact).strip()
        units = [unit.removesuffix("s") if len(unit) > 1 else unit for _, unit in parts]
        if not parts or rest or any(unit not in _SECONDS for unit in units):
            raise ValueError(f"{text!r} is not a duration such as 90s, 20min or 1h30min")
        total = sum(float(number) * _SECONDS[unit] for (number, _), unit in zip(parts, units, strict=True))
    if not 0 < total < float("inf"):
        raise ValueError(f"{text!r} is not a positive duration")
    return total


def format_duration(seconds: float) -> str:
    """Return a duration for people: `8.4 s`, `2 min 05 s`, `3 h 20 min`."""
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
