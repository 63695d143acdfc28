from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.study.trial import Measurement
from tests.automl.trial.flat_task import empty_history

if TYPE_CHECKING:
    from collections.abc import Iterable


def check(
    measurement: Measurement, *, objective: str, history: Iterable[Measurement] = (), explosion: bool = True
) -> str | None:
    trial = empty_history(objective=objective, explosion=explosion)
    for earlier in history:
        assert trial.observe(earlier) is None
    return trial.observe(measurement)


def losses(*values: float) -> list[Measurement]:
    return [Measurement(epoch=i, values={"train_loss": v}) for i, v in enumerate(values)]


@pytest.mark.parametrize("kind", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("name", ["train_loss", "train/loss", "loss", "val/d1"])
def test_a_training_loss_or_objective_that_is_not_finite_has_diverged(name: str, kind: str) -> None:
    reason = check(Measurement(epoch=2, nonfinite={name: kind}), objective="val/d1")

    assert reason == f"{name} is {kind} in epoch 3"


def test_a_validation_loss_may_be_nan() -> None:
    assert check(Measurement(epoch=2, nonfinite={"val/loss": "nan", "val_loss": "nan"}), objective="val/d1") is None


def test_a_loss_that_grows_a_thousandfold_has_exploded() -> None:
    history = losses(1.0, 0.8)

    assert check(losses(0, 0, 950.0)[2], objective="val/d1", history=history) is None
    reason = check(losses(0, 0, 1500.0)[2], objective="val/d1", history=history)
    assert reason == "train_loss grew from at most 1 to 1.5e+03 in epoch 3"


def test_an_absurd_first_loss_has_exploded() -> None:
    assert check(losses(8.5e13)[0], objective="val/d1") == "train_loss is 8.5e+13 in epoch 1"


def test_a_loss_that_rises_after_it_was_nearly_zero_has_not_exploded() -> None:
    assert check(losses(0, 0, 0.5)[2], objective="val/d1", history=losses(1.0, 1e-7)) is None
    assert check(losses(0, 0.5)[1], objective="val/d1", history=losses(1e-9)) is None


def test_explosions_can_be_left_alone() -> None:
    assert check(losses(1e20)[0], objective="val/d1", explosion=False) is None


def test_a_report_outside_epochs_says_so() -> None:
    assert check(Measurement(nonfinite={"loss": "nan"}), objective="acc") == "loss is nan before the first epoch"
