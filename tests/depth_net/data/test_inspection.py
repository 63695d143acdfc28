"""What a few samples tell about a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from depth_net.data.annotations import read_annotations
from depth_net.data.families import DepthRange, require_family
from depth_net.data.inspection import SampleFacts, inspect_rows, pick_rows, size_mismatches
from depth_net.model.family import ModelType
from tests.depth_net.data.builders import write_depth_mm, write_nyu

if TYPE_CHECKING:
    from pathlib import Path


def _inspect(file: Path, name: str, limits: DepthRange | None = None) -> SampleFacts:
    return inspect_rows(read_annotations(file), require_family(name, ModelType.METRIC), limits or DepthRange())


def test_picked_rows_reach_from_the_first_to_the_last(tmp_path: Path) -> None:
    rows = read_annotations(write_nyu(tmp_path, 9))

    assert [row.line for row in pick_rows(rows, 3)] == [1, 5, 9]
    assert pick_rows(rows, 20) == list(rows)


def test_percentiles_and_valid_share_are_those_of_the_values(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, 1, height=10, width=100)
    values = np.zeros((10, 100), dtype=np.uint16)
    values[:5] = np.arange(100) * 10 + 5000
    write_depth_mm(tmp_path / "depth_0.png", 10, 100, value=values)

    facts = _inspect(file, "NYUDV2", DepthRange(0.001, 5.5))

    assert facts.percentiles == pytest.approx((5.0495, 5.495, 5.9405), abs=1e-3)
    # The Eigen box of 10x100 is rows 1 to 9 and columns 6 to 93; 5.5 m is reached in column 50.
    assert facts.valid_fraction == pytest.approx(4 * 44 / 1000)
    assert facts.above_fraction == pytest.approx(0.5)
    assert facts.image_sizes == ((10, 100),)


def test_files_that_cannot_be_used_are_listed_and_the_rest_is_counted(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, 4)
    write_depth_mm(tmp_path / "depth_1.png", 10, 10)
    (tmp_path / "rgb_2.png").write_bytes(b"broken")
    write_depth_mm(tmp_path / "depth_3.png", value=0)

    facts = _inspect(file, "NYUDV2")

    assert [text.split(":")[0] for text in facts.unreadable] == ["line 2", "line 3"]
    assert "is 48x64 (height x width), its ground truth" in facts.unreadable[0]
    assert facts.empty == 1


def test_files_that_are_empty_are_named_with_their_line(tmp_path: Path) -> None:
    rows = read_annotations(write_nyu(tmp_path, 3))
    rows[1].image.write_bytes(b"")

    assert size_mismatches(rows) == (f"line 2: {rows[1].image} is empty",)
