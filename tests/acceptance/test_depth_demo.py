"""The main job on real input: the demo study with the real trainer, made short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import Done, automl

if TYPE_CHECKING:
    from _pytest.tmpdir import TempPathFactory

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def results(tmp_path_factory: TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def tuned(results: Path) -> Done:
    return automl("run", "--trials", "3", "--set", "train.num_epochs=3", "--json", results=results)


def test_the_demo_trains_and_beats_a_constant_prediction(tuned: Done) -> None:
    assert tuned.status == 0, tuned.err
    best = tuned.document["best"]

    assert best["values"]["val/d1"] > best["values"]["val/d1_constant"] + 0.1
    assert [trial["state"] for trial in tuned.document["trials"]] == ["COMPLETED"] * 3


def test_the_best_checkpoint_is_that_of_the_best_epoch(tuned: Done) -> None:
    best = tuned.document["best"]
    file = Path(tuned.document["study_dir"]) / best["checkpoint"]

    assert file.is_file()
    assert f"model_epoch_{best['epoch']:03d}_" in file.resolve().name


def test_a_real_divergence_is_ended_at_once_and_named(tuned: Done, results: Path) -> None:
    assert tuned.status == 0  # the data are there

    done = automl(
        "run", "--policy", "off", "--set", "train.optim.lr=100", "--set", "train.num_epochs=3", results=results
    )

    assert done.status == 5, done.err
    assert "diverged" in done.err
    assert "train_loss" in done.err or "training loss" in done.err
