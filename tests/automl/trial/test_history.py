"""The course of a trial: curve, best epoch and divergence from what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from automl.study.objectives import LAST_EPOCH, Direction
from automl.study.trial import Measurement, TrialState
from automl.trial.history import MOST_EPOCHS
from automl.trial.outcome import outcome_of
from tests.automl.trial.flat_task import empty_history

if TYPE_CHECKING:
    from automl.trial.history import TrialHistory


def course(direction: Direction = Direction.MAXIMIZE, *, explosion: bool = True) -> TrialHistory:
    return empty_history(direction, explosion=explosion, max_epochs=3)


def measurement(epoch: int | None, **values: Any) -> Measurement:  # noqa: ANN401 # metric values, words for what is not finite
    named = {name.replace("__", "/"): value for name, value in values.items()}
    return Measurement(
        epoch=epoch,
        values={name: value for name, value in named.items() if not isinstance(value, str)},
        nonfinite={name: value for name, value in named.items() if isinstance(value, str)},
    )


@pytest.mark.parametrize(("direction", "best"), [(Direction.MAXIMIZE, 1), (Direction.MINIMIZE, 0)])
def test_the_best_epoch_follows_the_direction(direction: Direction, best: int) -> None:
    trial = course(direction)
    for epoch, value in enumerate([0.1, 0.3, 0.2]):
        trial.observe(measurement(epoch, val__d1=value))

    assert trial.best_epoch == best


def test_the_earliest_of_equal_epochs_is_the_best() -> None:
    trial = course()
    for epoch in range(3):
        trial.observe(measurement(epoch, val__d1=0.5))

    assert trial.best_epoch == 0


def test_metrics_of_one_epoch_are_put_together_from_all_its_lines() -> None:
    trial = course()
    trial.observe(measurement(0, val__d1=0.5, val__loss=0.2))
    trial.observe(measurement(0, train_loss=0.4))

    assert trial.values_at(0) == {"val/d1": 0.5, "val/loss": 0.2, "train_loss": 0.4}


def test_a_value_without_an_epoch_stands_for_the_last_one() -> None:
    trial = course()
    trial.observe(measurement(1, train_loss=0.4))
    trial.observe(measurement(None, val__d1=0.5))

    assert trial.curve == ((1, 0.5),)


def test_a_final_value_does_not_change_a_curve_that_was_measured() -> None:
    trial = course()
    trial.observe(measurement(0, val__d1=0.9))
    trial.observe(measurement(1, val__d1=0.5))
    trial.observe(measurement(None, val__d1=0.9))

    assert trial.curve == ((0, 0.9), (1, 0.5))


@pytest.mark.parametrize("name", ["train_loss", "train_loss_step", "train/loss", "val/d1"])
def test_a_watched_loss_or_the_objective_that_is_not_finite_is_a_divergence(name: str) -> None:
    trial = course()

    reason = trial.observe(trial.named(Measurement(epoch=2, nonfinite={name: "nan"})))

    assert reason is not None
    assert "nan" in reason


def test_a_validation_loss_that_is_not_finite_is_none() -> None:
    assert course().observe(Measurement(epoch=2, nonfinite={"val/loss": "nan", "val/abs_rel": "nan"})) is None


def test_a_loss_that_grows_a_thousandfold_is_a_divergence_unless_that_is_switched_off() -> None:
    watched, unwatched = course(), course(explosion=False)
    for trial in (watched, unwatched):
        assert trial.observe(measurement(0, train_loss=0.5)) is None

    assert watched.observe(measurement(1, train_loss=5000.0)) is not None
    assert unwatched.observe(measurement(1, train_loss=5000.0)) is None


def test_a_loss_that_doubles_is_no_divergence() -> None:
    trial = course()
    trial.observe(measurement(0, train_loss=0.5))

    assert trial.observe(measurement(1, train_loss=1.0)) is None


def test_the_objective_gets_the_name_it_was_asked_for_and_keeps_its_own() -> None:
    named = course().named(Measurement(epoch=0, values={"val_d1": 0.5}))

    assert named.values == {"val_d1": 0.5, "val/d1": 0.5}


def test_only_the_last_line_can_be_a_failure() -> None:
    trial = course()
    trial.observe(Measurement(message="lost a connection", is_failure=True))
    assert trial.failure_line is not None

    trial.observe(Measurement(message="Training loop in progress"))
    assert trial.failure_line is None


def test_a_failure_line_with_the_code_of_a_divergence_ends_the_trial_at_once() -> None:
    failure = Measurement(message="the training loss is nan in epoch 1", is_failure=True, failure_code="diverged")

    assert course().observe(failure) == "the training loss is nan in epoch 1"
    assert course().observe(Measurement(message="loss.csv is missing", is_failure=True, failure_code="data")) is None


def test_all_epochs_are_there_when_the_last_one_was_measured() -> None:
    trial = course()
    trial.observe(measurement(1, val__d1=0.5))
    assert not trial.has_all_epochs

    trial.observe(measurement(2, val__d1=0.5))
    assert trial.has_all_epochs


def unmeasured() -> TrialHistory:
    return empty_history(LAST_EPOCH.direction, objective=LAST_EPOCH.metric, max_epochs=3)


def test_without_a_metric_the_last_epoch_is_the_best_whatever_its_loss() -> None:
    trial = unmeasured()
    for epoch, loss in enumerate([0.1, 0.3, 0.9]):
        trial.observe(trial.named(measurement(epoch, val__loss=loss)))

    assert trial.best_epoch == 2
    assert trial.values_at(2) == {"val/loss": 0.9, "last_epoch": 2.0}


def test_without_a_metric_a_training_ends_at_its_last_checkpoint() -> None:
    reported, silent = unmeasured(), unmeasured()
    for epoch in range(3):
        reported.observe(reported.named(measurement(epoch, val__loss=0.1)))

    reported.end_at(1)
    silent.end_at(4)

    assert (reported.best_epoch, silent.best_epoch) == (1, 4)
    assert outcome_of(unmeasured(), 0, ()).state is TrialState.COMPLETED


def test_without_a_metric_a_loss_that_is_not_finite_still_ends_it() -> None:
    trial = unmeasured()

    assert trial.observe(trial.named(measurement(0, train_loss="nan"))) == "train_loss is nan in epoch 1"


@pytest.mark.parametrize("best", [0, 1, 12_345, 24_999])
def test_of_endless_epochs_every_second_and_the_best_are_kept(best: int) -> None:
    history = course()

    for epoch in range(25_000):
        history.observe(measurement(epoch, val__d1=0.9 if epoch == best else 0.5))

    epochs = [epoch for epoch, _ in history.curve]
    assert len(epochs) <= MOST_EPOCHS
    assert {0, best, 24_999} <= set(epochs)
    assert epochs == sorted(set(epochs))
    assert (history.best_epoch, history.epochs) == (best, 25_000)
    assert history.is_thinned


def test_of_thousands_of_metrics_those_of_the_best_epochs_are_kept_also_before_a_cut() -> None:
    history = course()
    rising_and_falling = [*range(30), *range(30, 0, -1)]

    for epoch, value in enumerate(rising_and_falling):
        history.observe(measurement(epoch, val__d1=float(value), **{f"m{i}": float(epoch) for i in range(20_000)}))

    assert history.best_epoch == 30
    assert len(history.values_at(30)) == 20_001
    assert history.values_at(30)["m7"] == 30.0
    assert sum(map(len, history._by_epoch.values())) <= 220_000  # noqa: SLF001 # what it is for
    history.cut_after(29)
    assert history.best_epoch == 29
    assert history.values_at(29)["val/d1"] == 29.0
    assert not history.is_thinned
