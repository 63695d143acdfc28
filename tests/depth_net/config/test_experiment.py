from __future__ import annotations

from pathlib import Path

import pytest

from depth_net.config.experiment import ExperimentConfig
from depth_net.config.train import TrainConfig
from depth_net.errors import SpecError


def test_an_action_writes_to_its_own_folder_below_the_results() -> None:
    assert ExperimentConfig(results_dir="r").results_directory("train") == Path("r/train")


def test_the_folder_of_an_action_wins() -> None:
    config = ExperimentConfig(results_dir="r", train=TrainConfig(results_dir="own"))

    assert config.results_directory("train") == Path("own")


def test_without_any_folder_nothing_runs() -> None:
    with pytest.raises(SpecError, match=r"export\.results_dir"):
        ExperimentConfig().results_directory("export")
