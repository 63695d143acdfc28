"""Numbers and durations as people write them."""

from __future__ import annotations

import re

import pytest

from automl.request.numbers import COUNT, DURATION, read_duration_s, read_number

NUMBERS = {
    "20": 20, "1,000": 1000, "12,500": 12500, "1.5": 1.5, "10k": 10000, "2.5 k": 2500, "twenty-five": 25,
    "twenty five": 25, "a dozen": 12, "a hundred": 100, "half": 0.5, "half a": 0.5, "nineteen": 19, "nine": 9,
}  # fmt: skip
MINUTES = {
    "2h": 120, "1.5h": 90, "1h30": 90, "1h30min": 90, "1h 30 min": 90, "1h30m": 90, "half an hour": 30, "an hour": 60,
    "2 hours and 30 minutes": 150, "90 minutes": 90, "90-minute": 90, "two-hour": 120, "a day": 1440,
    "half a day": 720, "30 s": 0.5, "1 week": 10080, "45mins": 45, "a minute": 1,
}  # fmt: skip


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_a_number_is_matched_whole_and_read(text: str, number: float) -> None:
    match = re.match(COUNT, text, re.IGNORECASE)

    assert match is not None
    assert match[0] == text
    assert read_number(text) == number


@pytest.mark.parametrize(("text", "minutes"), MINUTES.items())
def test_a_duration_is_matched_whole_and_read(text: str, minutes: float) -> None:
    match = re.match(DURATION, text, re.IGNORECASE)

    assert match is not None
    assert match[0] == text
    assert read_duration_s(text) == minutes * 60


@pytest.mark.parametrize("text", ["3d detection", "80 m", "2", "a and d", "second", "1,5 hours", "1,00 hours"])
def test_what_is_no_duration_is_not_one(text: str) -> None:
    assert re.match(DURATION, text) is None
