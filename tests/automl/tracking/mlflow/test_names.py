"""Names are accepted by MLflow, and no two become the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.tracking.mlflow.names import MAX_NAME_LENGTH, encode_name, stored_name

CHARACTERS = {
    "colon": ":",
    "at": "@",
    "open": "[",
    "close": "]",
    "percent": "%",
    "plus": "+",
    "hash": "#",
    "slash": "/",
    "dot": ".",
}
ESCAPE = re.compile(r":([a-z]+|x[0-9a-f]+):")
ACCEPTED = re.compile(r"[/\w.\- :]+", re.ASCII)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("val/d1", "val/d1"),
        ("val/i2t_R@1", "val/i2t_R:at:1"),
        ("[bbox] val_mAP@50", ":open:bbox:close: val_mAP:at:50"),
        ("train.classify.cls_weight[1]", "train.classify.cls_weight:open:1:close:"),
        ("a:b", "a:colon:b"),
        ("naïve", "na:xef:ve"),
        ("..", ":dot::dot:"),
        ("/root", ":slash:root"),
        ("a//b", "a:slash::slash:b"),
        ("half \ud800 of a pair", "half :xd800: of a pair"),
        ("", ":empty:"),
    ],
)
def test_a_name_becomes_one_that_mlflow_accepts(name: str, encoded: str) -> None:
    assert encode_name(name) == encoded


@given(st.text(min_size=1, max_size=60))
def test_every_name_can_be_read_back(name: str) -> None:
    encoded = encode_name(name)

    assert ACCEPTED.fullmatch(encoded)
    assert ESCAPE.sub(lambda match: CHARACTERS.get(match[1]) or chr(int(match[1][1:], 16)), encoded) == name


def test_two_names_that_are_cut_stay_two() -> None:
    names = ["m" * 300 + "1", "m" * 300 + "2", "m" * MAX_NAME_LENGTH]

    stored = [stored_name(name) for name in names]

    assert len(set(stored)) == len(names)
    assert max(map(len, stored)) == MAX_NAME_LENGTH
    assert stored[2] == names[2]
