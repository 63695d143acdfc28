"""An action works on the best of the study, or on exactly the checkpoint that was named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.errors import ConfigurationError
from automl.handoff.best import choose_checkpoint, select_best
from tests.automl.handoff.depth_study import CHECKPOINTS, write_depth_study

if TYPE_CHECKING:
    from pathlib import Path

NAMING = load_architecture("depth_net_mono").checkpoints


def test_without_a_choice_it_is_the_champion(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    chosen = choose_checkpoint(root, NAMING, trial=None, epoch=None)

    assert chosen.path == root / "best" / CHECKPOINTS[1]
    assert (chosen.trial, chosen.epoch, dict(chosen.assignment)) == (0, 1, {"train.optim.lr": 0.01})


def test_a_trial_means_its_best_epoch(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    assert choose_checkpoint(root, NAMING, trial=0, epoch=None).path.name == CHECKPOINTS[1]


def test_an_epoch_alone_means_the_champions_trial(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    select_best(root)

    chosen = choose_checkpoint(root, NAMING, trial=None, epoch=0)

    assert (chosen.path.name, chosen.epoch) == (CHECKPOINTS[0], 0)


def test_an_unknown_trial_is_refused_with_those_there_are(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    with pytest.raises(ConfigurationError) as caught:
        choose_checkpoint(root, NAMING, trial=7, epoch=None)

    assert (caught.value.problems[0].where, caught.value.problems[0].expected) == ("--trial 7", "0")


def test_an_epoch_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    with pytest.raises(ConfigurationError, match="epoch 5"):
        choose_checkpoint(root, NAMING, trial=0, epoch=5)


def test_a_study_without_results_has_no_checkpoint(tmp_path: Path) -> None:
    directory = write_depth_study(tmp_path / "demo")
    directory.events_file.unlink()
    for file in directory.result_files():
        file.unlink()

    with pytest.raises(ConfigurationError, match="no best checkpoint"):
        choose_checkpoint(directory.root, NAMING, trial=None, epoch=None)
