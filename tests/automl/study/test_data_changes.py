"""Data that change between two runs of a study are said to have changed."""

from __future__ import annotations

import pytest

from automl.study.data_changes import changes_of_data

OLD, NEW = "a" * 64, "b" * 64


def test_an_input_that_has_changed_is_named_with_what_began_before() -> None:
    before = {"data.val": f"listed:{OLD} /data/val.txt", "data.train": f"files:{OLD} /data/images", "version.x": "1"}

    found = changes_of_data(before, {**before, "data.val": f"listed:{NEW} /data/val.txt", "version.x": "2"}, 3)

    assert found == {
        "data.val": "val has changed: /data/val.txt; 3 trials began before: compare their values with care"
    }


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"data.val": f"listed:{OLD} /moved/val.txt"},
        {"data.val": f"sha256:{NEW} /data/val.txt"},
        {"data.val": "/data/val.txt"},
    ],
    ids=["no input any more", "another place", "another kind of digest", "not there"],
)
def test_what_cannot_be_compared_or_is_the_same_has_not_changed(now: dict[str, str]) -> None:
    assert changes_of_data({"data.val": f"listed:{OLD} /data/val.txt"}, now, 3) == {}
