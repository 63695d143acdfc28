"""Durations, read and shown."""

from __future__ import annotations

import pytest

from automl.duration import format_duration, parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("20min", 1200),
        ("2 hours", 7200),
        ("1h30min", 5400),
        ("1.5h", 5400),
        ("1 day", 86400),
        (45, 45),
        ("2 m", 120),
    ],
)
def test_a_duration_is_read_in_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "-3", "0", "1h and a bit", float("inf"), -1])
def test_what_is_no_positive_duration_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration_s(text)


@pytest.mark.parametrize(("seconds", "text"), [(8.41, "8.4 s"), (125, "2 min 05 s"), (12000, "3 h 20 min")])
def test_a_duration_is_shown_with_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
