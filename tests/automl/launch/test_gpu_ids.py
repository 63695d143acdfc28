from __future__ import annotations

from typing import TYPE_CHECKING

from automl.launch.gpu_ids import to_uuids
from tests.automl.launch.fake_engine import install_gpus

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_indices_become_the_uuids_of_the_same_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(tmp_path, monkeypatch, 4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")

    assert to_uuids(("3", "0")) == ("GPU-aaa3", "GPU-aaa0")


def test_uuids_and_instances_stay_what_they_are() -> None:
    assert to_uuids(("GPU-1", "MIG-2")) == ("GPU-1", "MIG-2")


def test_an_index_that_is_not_listed_here_stays_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(tmp_path, monkeypatch, 1)

    assert to_uuids(("0", "5")) == ("GPU-aaa0", "5")
