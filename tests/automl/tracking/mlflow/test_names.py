"""Names survive the way into MLflow and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.tracking.mlflow.names import decode_name, encode_name

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
    ],
)
def test_a_name_becomes_one_that_mlflow_accepts(name: str, encoded: str) -> None:
    assert encode_name(name) == encoded


@given(st.text(min_size=1, max_size=60))
def test_every_name_comes_back_unchanged(name: str) -> None:
    encoded = encode_name(name)

    assert ACCEPTED.fullmatch(encoded)
    assert decode_name(encoded) == name


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        encode_name("")
