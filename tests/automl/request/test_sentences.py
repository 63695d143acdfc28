"""Sentences of users in many languages, each with its right reading: none is read otherwise, and few are stopped."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl.architectures.load import load_architecture
from automl.request.text import ParsedRequest, parse_request

METRICS = load_architecture("depth_net_mono").metrics.directions
FILES = sorted(path.stem for path in (Path(__file__).parent / "sentences").iterdir())
MOST_STOPPED = 0.3


def rows(name: str) -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "sentences" / f"{name}.yaml").read_text())
    return document


@functools.cache
def read(text: str) -> ParsedRequest:
    return parse_request(text, metrics=METRICS, names=("depth_net_mono",))


def values_of(parsed: ParsedRequest) -> dict[str, Any]:
    return {**parsed.values, **({"policy": parsed.policy} if parsed.policy else {})}


@pytest.mark.parametrize("name", FILES)
def test_no_sentence_is_read_otherwise_than_it_is_meant(name: str) -> None:
    readings = {row["text"]: (row["reads"], read(row["text"])) for row in rows(name)}

    wrong = {text: got for text, (right, got) in readings.items() if not got.questions and values_of(got) != right}
    assert wrong == {}


@pytest.mark.parametrize("name", [name for name in FILES if name != "second"])
def test_few_plain_english_sentences_are_stopped(name: str) -> None:
    meant = [row["text"] for row in rows(name) if row.get("lang", "en") == "en" and row["reads"] != "ask"]

    stopped = [text for text in meant if read(text).questions]
    assert len(stopped) <= MOST_STOPPED * len(meant), stopped
