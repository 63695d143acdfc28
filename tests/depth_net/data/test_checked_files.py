from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from depth_net.actions import check
from depth_net.actions.check import inspect_data
from depth_net.data import file_stamps
from depth_net.data.inspection import SampleFacts, inspect_rows
from depth_net.spec import load_spec
from tests.depth_net.data.builders import write_depth_mm, write_picture
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.config.experiment import ExperimentConfig


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentConfig:
    """A spec with data of any age, and a cache of this test alone."""
    monkeypatch.setenv("DEPTH_NET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(file_stamps, "_SETTLED_S", -1.0)
    return load_spec(write_spec(tmp_path))


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How often files are read."""
    seen: list[object] = []

    def inspect(*args: Any) -> SampleFacts:  # noqa: ANN401 - passes on what it gets
        seen.append(args)
        return inspect_rows(*args)

    monkeypatch.setattr(check, "inspect_rows", inspect)
    return seen


def test_files_that_did_not_change_are_read_once(config: ExperimentConfig, inspected: list[object]) -> None:
    first = inspect_data(config)
    count = len(inspected)

    assert inspect_data(config) == first
    assert len(inspected) == count == 2


def test_a_changed_file_is_read_and_found_wrong(
    config: ExperimentConfig, tmp_path: Path, inspected: list[object]
) -> None:
    assert not inspect_data(config).errors
    depth = next((tmp_path / "train").glob("depth_*.png"))
    old = depth.stat()
    write_depth_mm(depth, 10, 12)
    os.utime(depth, ns=(old.st_atime_ns, old.st_mtime_ns))

    assert len(inspect_data(config).errors) == 1
    assert len(inspected) == 3


def test_other_limits_are_measured_by_themselves(config: ExperimentConfig, inspected: list[object]) -> None:
    inspect_data(config)
    other = config.model_copy(update={"dataset": config.dataset.model_copy(update={"max_depth": 1.5})})

    inspect_data(other)

    assert len(inspected) == 4


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"facts": {"rows": 1}, "mismatches": []}'])
def test_a_damaged_memory_is_ignored(
    config: ExperimentConfig, tmp_path: Path, content: str, inspected: list[object]
) -> None:
    first = inspect_data(config)
    for place in (tmp_path / "cache/checked").iterdir():
        place.write_text(content, encoding="utf-8")

    assert inspect_data(config) == first
    assert len(inspected) == 4


def test_a_file_that_has_just_changed_is_read_again(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inspected: list[object]
) -> None:
    monkeypatch.setattr(file_stamps, "_SETTLED_S", 60.0)
    write_picture(next((tmp_path / "train").glob("rgb_*.png")))

    inspect_data(config)
    inspect_data(config)

    assert len(inspected) == 4
