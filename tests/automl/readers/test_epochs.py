"""Epochs: metrics without an epoch find theirs, repetitions vanish, nothing that is not finite waits."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from automl.readers.epochs import HOLD_S, EpochBook
from automl.study.trial import Measurement

VALIDATED, TRAINED, PROGRESS = "Eval metrics generated.", "Train metrics generated.", "Training loop in progress"


def reported(message: str = "", epoch: int | None = None, **values: Any) -> Measurement:  # noqa: ANN401 # metric values
    nonfinite = {name: value for name, value in values.items() if isinstance(value, str)}
    finite = {name: value for name, value in values.items() if not isinstance(value, str)}
    return Measurement(epoch=epoch, values=finite, nonfinite=nonfinite, message=message)


def attached(*lines: Measurement, book: EpochBook | None = None) -> list[tuple[int | None, dict[str, float]]]:
    book = book or EpochBook()
    found = [m for line in lines for m in book.add(line, 0.0)] + book.release()
    return [(m.epoch, dict(m.values)) for m in found if m.values or m.nonfinite]


def test_validation_metrics_belong_to_the_epoch_line_that_follows_and_the_training_loss_to_the_one_before() -> None:
    lines = []
    for epoch in range(3):
        lines += [reported(VALIDATED, d1=0.1 * epoch), reported(PROGRESS, epoch, d1=0.1 * epoch)]
        lines += [reported(TRAINED, train_loss=1.0 - 0.1 * epoch)]

    expected = [entry for e in range(3) for entry in [(e, {"d1": 0.1 * e}), (e, {"train_loss": 1.0 - 0.1 * e})]]
    assert attached(*lines) == expected


def test_a_repeated_metric_counts_once() -> None:
    lines = [
        reported(VALIDATED, d1=0.5),
        reported(PROGRESS, 0, d1=0.5),
        reported("something", d1=0.5),
        reported("else", d1=0.5),
    ]

    assert attached(*lines) == [(0, {"d1": 0.5})]


def test_an_epoch_without_validation_repeats_nothing_from_the_epoch_before() -> None:
    lines = [
        reported(VALIDATED, d1=0.5),
        reported(PROGRESS, 0, d1=0.5),
        reported(TRAINED, train_loss=0.3),
        reported(PROGRESS, 1, train_loss=0.3),
        reported(TRAINED, train_loss=0.2),
    ]

    assert attached(*lines) == [(0, {"d1": 0.5}), (0, {"train_loss": 0.3}), (1, {"train_loss": 0.2})]


def test_the_same_value_measured_again_counts_for_its_own_epoch() -> None:
    lines = [
        reported(VALIDATED, d1=0.5),
        reported(PROGRESS, 0, d1=0.5),
        reported(VALIDATED, d1=0.5),
        reported(PROGRESS, 1, d1=0.5),
    ]

    assert attached(*lines) == [(0, {"d1": 0.5}), (1, {"d1": 0.5})]


def test_a_trainer_of_one_line_an_epoch_may_report_the_same_value_twice() -> None:
    assert attached(reported("", 0, acc=0.5), reported("", 1, acc=0.5)) == [(0, {"acc": 0.5}), (1, {"acc": 0.5})]


def test_an_epoch_on_the_metrics_own_line_is_believed() -> None:
    lines = [reported(VALIDATED, 4, d1=0.5), reported(PROGRESS, 4, d1=0.5), reported(TRAINED, 4, train_loss=0.3)]

    assert attached(*lines) == [(4, {"d1": 0.5}), (4, {"train_loss": 0.3})]


def test_a_value_that_is_not_finite_is_handed_on_at_once_with_the_epoch_that_must_be_meant() -> None:
    book = EpochBook()
    book.add(reported(PROGRESS, 3), 0.0)

    found = book.add(reported(VALIDATED, d1="nan"), 0.0)

    assert [(m.epoch, dict(m.nonfinite)) for m in found] == [(4, {"d1": "nan"})]


def test_held_metrics_are_released_after_a_while_for_trainers_that_never_tell_an_epoch() -> None:
    book = EpochBook()

    assert book.add(reported("", acc=0.5), 10.0) == []
    assert book.release(held_before_s=10.5 - HOLD_S) == []
    released = book.release(held_before_s=11.5 - HOLD_S)
    assert [(m.epoch, dict(m.values)) for m in released] == [(0, {"acc": 0.5})]


def test_without_any_epoch_each_new_value_is_an_epoch() -> None:
    lines = [reported("", acc=0.5), reported("", train_loss=0.3), reported("", acc=0.6), reported("", train_loss=0.2)]

    expected = [(0, {"acc": 0.5}), (0, {"train_loss": 0.3}), (1, {"acc": 0.6}), (1, {"train_loss": 0.2})]
    assert attached(*lines) == expected


def test_two_validation_lines_of_one_epoch_are_one_measurement() -> None:
    lines = [reported(VALIDATED, d1=0.5), reported(VALIDATED, d2=0.6), reported(PROGRESS, 0, d2=0.6)]

    assert attached(*lines) == [(0, {"d1": 0.5, "d2": 0.6})]


def test_a_resumed_trainer_goes_on_counting_where_its_checkpoint_ends() -> None:
    book = EpochBook()
    book.add(reported("Resuming training from checkpoint: /r/model_epoch_004_step_00050.pth"), 0.0)

    assert attached(reported(VALIDATED, d1=0.5), book=book) == [(5, {"d1": 0.5})]


def test_a_message_without_metrics_is_handed_on_with_the_epoch_it_falls_into() -> None:
    book = EpochBook()
    book.add(reported(PROGRESS, 2), 0.0)

    assert [m.epoch for m in book.add(reported("Saving"), 0.0)] == [2]


VALUES = st.sampled_from([0.25, 0.5, 0.75])


@settings(max_examples=200, deadline=None)
@given(
    first=st.integers(0, 3),
    interval=st.integers(1, 3),
    rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8),
    chatter=st.booleans(),
    has_training_line=st.booleans(),
)
def test_whatever_a_public_trainer_measures_every_value_finds_its_epoch_exactly_once(
    first: int,
    interval: int,
    rows: list[tuple[float, float]],
    *,
    chatter: bool,
    has_training_line: bool,
) -> None:
    lines: list[Measurement] = []
    expected: list[tuple[int, dict[str, float]]] = []
    sticky: dict[str, Any] = {}
    if first:
        lines.append(reported(f"Resuming training from checkpoint: model_epoch_{first - 1:03d}_step_00010.pth"))
    for epoch, (d1, loss) in enumerate(rows, start=first):
        if (epoch + 1) % interval == 0:
            sticky = {"d1": d1}
            lines.append(reported(VALIDATED, **sticky))
            expected.append((epoch, {"d1": d1}))
        lines.append(reported(PROGRESS, epoch, **sticky))
        if has_training_line:
            sticky = {"train_loss": loss}
            lines.append(reported(TRAINED, **sticky))
            expected.append((epoch, {"train_loss": loss}))
        if chatter:
            lines.append(reported("Saving a checkpoint", **sticky))

    assert attached(*lines) == expected
