"""Event files of the versions that their folders name (recorded/), and new ones by torch's own writer, as they grow."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.readers.event_file import EventFile
from automl.readers.filtered_loss import hidden_losses
from automl.readers.log_lines import LogReader
from automl.readers.metric_file import read_metrics
from automl.readers.tensorboard import TensorboardReader
from automl.storage.tf_record import record
from automl.tracking.tensorboard import encode_event

if TYPE_CHECKING:
    from automl.study.trial import Measurement

RECORDED = Path(__file__).parent / "recorded"
NAME = "events.out.tfevents.1.host.2"


def reader(directory: Path, objective: str, *, has_status: bool = False, first: int | None = None) -> TensorboardReader:
    return TensorboardReader(directory, objective, lambda: has_status, lambda: False, first_epoch=first)


def curve(found: list[Measurement], name: str) -> dict[int | None, float]:
    return {m.epoch: m.values[name] for m in found if name in m.values}


def of_steps(steps: list[int], name: str = "val/acc") -> bytes:
    return b"".join(record(encode_event(1.0, step=step, values={name: 0.5 + step / 1024})) for step in steps)


@pytest.mark.parametrize(
    ("folder", "metric", "expected"),
    [
        ("lightning-2.6.6", "val_acc", {0: 0.5, 1: 0.6, 2: 0.7}),
        ("lightning-2.6.6", "train_loss_epoch", {0: 0.07124868780, 1: 0.00033234555, 2: 0.0000298399336}),
        ("keras-3.15.1", "val_accuracy", {0: 0.5, 1: 0.5, 2: 0.525}),
        ("keras-3.15.1", "loss", {0: 0.7339563, 1: 0.7297449, 2: 0.7255806}),
        ("transformers-5.23.0", "eval/accuracy", {0: 0.72, 1: 0.735}),
    ],
)
def test_the_metric_has_its_zero_based_epoch(
    tmp_path: Path, folder: str, metric: str, expected: dict[int, float]
) -> None:
    shutil.copytree(RECORDED / folder, tmp_path / "work" / "logs")

    found = reader(tmp_path, metric).finish()

    assert curve(found, metric) == pytest.approx(expected, abs=1e-5)
    assert not {name for m in found for name in m.values if "hp" in name}


def test_what_torch_writes_is_read_while_it_grows_with_the_folders_of_add_scalars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.readers.folder_search._INTERVAL_S", 0.0)
    tensorboard = pytest.importorskip("torch.utils.tensorboard", reason="torch and tensorboard are not here")
    writer, source = tensorboard.SummaryWriter(str(tmp_path / "runs")), reader(tmp_path, "val/acc")
    seen = []

    for epoch in range(3):
        writer.add_scalar("val/acc", 0.1 * epoch, epoch)
        writer.add_scalars("loss", {"train": 1.0, "val": 0.5 + epoch}, epoch)
        writer.add_text("note", "text")
        writer.flush()
        seen.append(curve(source.read(), "val/acc"))
    writer.add_hparams({"lr": 0.1}, {"hparam/acc": 0.5})
    writer.close()
    rest = source.finish()

    assert seen == [{}, {0: 0.0}, {1: 0.1}]  # a step is over when the next one begins
    assert curve(rest, "val/acc") == {2: 0.2}
    assert curve(reader(tmp_path, "loss/val").finish(), "loss/val") == {0: 0.5, 1: 1.5, 2: 2.5}
    assert not {name for m in rest for name in m.values if "hparam" in name}


def test_the_last_step_counts_once_it_has_stood_for_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).write_bytes(of_steps([0]))
    source = reader(tmp_path, "val/acc")

    assert source.read() == []
    monkeypatch.setattr("automl.readers.tensorboard.HOLD_S", 0.0)

    assert curve(source.read(), "val/acc") == {0: 0.5}


@pytest.mark.parametrize(
    ("steps", "first", "expected"),
    [
        ([0, 1, 2], None, [0, 1, 2]),
        ([1, 2, 3], None, [0, 1, 2]),
        ([4, 5], None, [4, 5]),  # a training that continues: counted from 0 unless the study says otherwise
        ([4, 5], 1, [3, 4]),
        ([100, 200, 300], None, [0, 1, 2]),
        ([99, 199, 299], None, [0, 1, 2]),
        ([400, 500], None, [3, 4]),
        ([0, 50, 100], None, [0, 1, 2]),
        ([1000], None, [None]),
    ],
)
def test_steps_without_a_tag_for_the_epoch(
    tmp_path: Path, steps: list[int], first: int | None, expected: list[int | None]
) -> None:
    (tmp_path / NAME).write_bytes(of_steps(steps))

    assert list(curve(reader(tmp_path, "val/acc", first=first).finish(), "val/acc")) == expected


def test_a_torn_last_record_waits_for_its_end(tmp_path: Path) -> None:
    whole = of_steps([0, 1, 2])
    file = tmp_path / NAME
    source = EventFile(file, tmp_path)
    seen: list[int] = []

    for length in range(0, len(whole) + 1, 7):
        file.write_bytes(whole[:length])
        seen += [event.step for event in source.read()]
    file.write_bytes(whole)
    seen += [event.step for event in source.read()]

    assert seen == [0, 1, 2]
    assert source.damaged_at is None


@pytest.mark.parametrize("position", [3, 16])
def test_a_damaged_record_ends_the_file_and_is_named(tmp_path: Path, position: int) -> None:
    content = bytearray(of_steps([0, 1, 2]))
    start = len(of_steps([0]))
    content[start + position] ^= 0xFF
    (tmp_path / NAME).write_bytes(content)

    found = reader(tmp_path, "val/acc").finish()

    assert curve(found, "val/acc") == {0: 0.5}
    assert [m.notice for m in found if m.notice] == [f"{NAME} is damaged at byte {start}: the rest was not read"]


def test_pictures_are_passed_over_unread(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(of_steps([0]) + record(bytes(2 * 1024 * 1024)) + of_steps([1]))

    assert list(curve(reader(tmp_path, "val/acc").finish(), "val/acc")) == [0, 1]


def test_a_value_that_is_not_finite_does_not_wait_for_its_epoch(tmp_path: Path) -> None:
    lost = b"\x09" + struct.pack("<d", 1.0) + b"\x10\x64\x2a\x0a\x0a\x08\x0a\x01l\x15" + struct.pack("<f", math.nan)
    (tmp_path / NAME).write_bytes(record(lost) + of_steps([101], "other"))

    found = reader(tmp_path, "l").read()

    assert [(m.epoch, dict(m.nonfinite)) for m in found] == [(None, {"l": "nan"})]


def test_a_loss_that_transformers_hides_is_not_finite(tmp_path: Path) -> None:
    assert hidden_losses({"train/loss": 0.0, "train/grad_norm": "nan", "eval/loss": 0.0}) == {"train/loss": "nan"}
    assert hidden_losses({"loss": 0.5, "grad_norm": "nan"}) == {}  # half precision has overflowed
    state = {"log_history": [{"loss": 0.0, "grad_norm": math.nan, "epoch": 0.5}]}
    assert [(m.epoch, dict(m.nonfinite)["loss"]) for m in read_metrics(json.dumps(state))] == [(0, "nan")]
    log = tmp_path / "log"
    log.write_text("{'loss': '0', 'grad_norm': 'nan', 'learning_rate': '8e+29', 'epoch': '0.5'}\n", encoding="utf-8")
    lines = LogReader(log, "eval_loss", ("train_loss",), lambda: False, lambda: False)
    assert [dict(m.nonfinite) for m in lines.read()] == [{"loss": "nan"}]


def test_our_own_event_files_and_pipes_are_no_source(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.automl").write_bytes(of_steps([0, 1]))
    os.mkfifo(tmp_path / "events.out.tfevents.pipe")

    assert reader(tmp_path, "val/acc").finish() == []


def test_beside_another_file_of_metrics_it_counts_only_where_that_lacks_the_objective(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(of_steps([0, 1]))
    source = reader(tmp_path, "val/acc", has_status=True)

    assert source.read() == []
    assert list(curve(source.finish(), "val/acc")) == [0, 1]
    known = TensorboardReader(tmp_path, "val/acc", lambda: True, lambda: True)
    assert known.finish() == []


def of_tags(rows: list[tuple[int, str, float]]) -> bytes:
    return b"".join(record(encode_event(1.0, step=step, values={tag: value})) for step, tag, value in rows)


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("a_val", "b_train"), 0),
        (("a_train", "b_val"), 1),
        (("train/run", "val/run"), 1),
        (("fold0", "fold1"), 0),
        (("kitti", "nyu"), 0),
    ],
)
def test_of_several_folders_with_the_objective_one_counts(
    tmp_path: Path, folders: tuple[str, ...], expected: int
) -> None:
    for number, folder in enumerate(folders):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / NAME).write_bytes(of_tags([(step, "acc", number / 2 + step / 8) for step in range(3)]))

    found = reader(tmp_path, "acc").finish()
    notices = [m.notice for m in found if m.notice]

    assert curve(found, "acc") == {step: expected / 2 + step / 8 for step in range(3)}
    assert [("such as fold0 and fold1, and that of fold0 counts" in text) for text in notices] == (
        [] if "val" in str(folders) else [folders[0] == "fold0"]
    )


@pytest.mark.parametrize(
    ("tags", "done", "expected"),
    [
        (("train/epoch", "val/acc"), (0, 1, 2), [0, 1, 2]),
        (("train/loss", "train/epoch", "val/acc"), (0, 1, 2), [0, 1, 2]),
        (("val/acc", "train/epoch"), (0.5, 1, 2), [0, 0, 1]),
        (("train/loss", "train/epoch", "eval/acc", "train/epoch"), (1, 2, 3), [0, 1, 2]),
    ],
)
def test_a_tag_train_epoch_counts_epochs_done_only_where_transformers_writes_it(
    tmp_path: Path, tags: tuple[str, ...], done: tuple[float, ...], expected: list[int]
) -> None:
    steps = [(10 * number, tag, value) for number, value in enumerate(done) for tag in tags]
    rows = [(step, tag, value if tag == "train/epoch" else 0.5 + step / 64) for step, tag, value in steps]
    (tmp_path / NAME).write_bytes(of_tags(rows))
    objective = next(tag for tag in tags if tag.endswith("acc"))

    found = reader(tmp_path, objective).finish()

    assert [m.epoch for m in found if objective in m.values] == expected


def test_the_last_step_of_a_file_comes_before_the_file_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(of_tags([(step, "val/acc", 0.5) for step in range(3)]))
    (tmp_path / NAME.replace(".1.", ".2.")).write_bytes(of_tags([(step, "val/acc", 0.75) for step in (2, 3)]))
    source = reader(tmp_path, "val/acc")

    assert curve([*source.read(), *source.finish()], "val/acc") == {0: 0.5, 1: 0.5, 2: 0.75, 3: 0.75}


ACC = "val/acc"


@pytest.mark.parametrize(
    ("rows", "expected", "notice"),
    [
        # No step was given: TensorBoard's writers leave it at 0, and each value of the objective is of an epoch.
        ([(0, ACC, 0.25), (0, ACC, 0.5), (0, ACC, 0.5)], {0: 0.25, 1: 0.5, 2: 0.5}, ""),
        ([(0, tag, n / 4) for n in (1, 2, 3) for tag in ("loss", "loss", ACC)], {0: 0.25, 1: 0.5, 2: 0.75}, ""),
        ([(0, ACC, 0.25), (0, ACC, 0.5), (1, ACC, 0.75)], {0: 0.25, 1: 0.75}, "several times at step 0"),
        ([(0, ACC, 0.25), (1, ACC, 0.5), (1, ACC, 0.75)], {0: 0.25, 1: 0.75}, "several times at step 1"),
        ([(0, ACC, 0.25), (1, ACC, 0.5), (1, ACC, 0.5)], {0: 0.25, 1: 0.5}, ""),
        ([(0, ACC, 0.25), (1, ACC, 0.5), (0, ACC, 0.5), (1, ACC, 0.75)], {0: 0.5, 1: 0.75}, "several times at step 0"),
        ([(0, ACC, 0.25), (1, ACC, 0.5), (1, "lr", 0.1), (1, "lr", 0.2)], {0: 0.25, 1: 0.5}, ""),
        (
            [(9, ACC, 0.25), (9, "epoch", 0), (19, ACC, 0.5), (19, "epoch", 1), (29, ACC, 0.75), (29, "epoch", 0)],
            {0: 0.75, 1: 0.5},
            "epochs begin again",
        ),
        (
            [(9, tag, v) for a in (0.25, 0.5) for tag, v in ((ACC, a), ("epoch", 0.0))],
            {0: 0.5},
            "several times at step 9",
        ),
    ],
)
def test_several_values_of_one_step_are_counted_where_no_step_is_given_and_else_said(
    tmp_path: Path, rows: list[tuple[int, str, float]], expected: dict[int | None, float], notice: str
) -> None:
    (tmp_path / NAME).write_bytes(of_tags(rows))

    found = reader(tmp_path, ACC).finish()

    assert curve(found, ACC) == expected
    assert [notice in m.notice for m in found if m.notice] == ([True] if notice else [])


def test_values_without_a_step_are_counted_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.readers.tensorboard.HOLD_S", 0.0)
    source, seen = reader(tmp_path, ACC), []

    for count in range(1, 4):
        (tmp_path / NAME).write_bytes(of_tags([(0, ACC, n / 4) for n in range(count)]))
        seen.append(curve([*source.read(), *source.read()], ACC))

    assert seen == [{0: 0.0}, {1: 0.25}, {2: 0.5}]


@pytest.mark.parametrize("objective", ["l", ACC])
def test_a_loss_that_was_lost_is_not_overwritten_at_its_step(tmp_path: Path, objective: str) -> None:
    lost = b"\x09" + struct.pack("<d", 1.0) + b"\x10\x64\x2a\x0a\x0a\x08\x0a\x01l\x15" + struct.pack("<f", math.nan)
    (tmp_path / NAME).write_bytes(record(lost) + of_tags([(100, "l", 0.5)]))

    assert [dict(m.nonfinite) for m in reader(tmp_path, objective).finish() if m.nonfinite] == [{"l": "nan"}]


@pytest.mark.parametrize(
    ("steps", "others", "most", "expected", "notice"),
    [
        # Other tags are far beyond: the objective has a counter of its own, that of epochs.
        ([0, 5, 10], [0, 400, 900], None, [0, 5, 10], ""),
        ([5, 10, 15], [400, 900, 1400], 15, [4, 9, 14], ""),
        ([4, 9, 14], [400, 900, 1400], 15, [4, 9, 14], ""),
        ([99, 199], [100, 200], None, [0, 1], ""),
        # Steps of the optimiser, which there are more of than epochs.
        ([0, 5, 10], [0, 5, 10], 4, [0, 1, 2], ""),
        ([5, 10, 15], [5, 10, 15], 12, [0, 1, 2], ""),
        ([5, 10, 10], [5, 10, 15], 12, [0, 1], ""),
        ([100, 200, 300], [100, 200, 300], None, [0, 1, 2], ""),
        # They may be either.
        (
            [0, 5, 10],
            [0, 5, 10],
            None,
            [0, 1, 2],
            "at steps 0, 5, 10 of the event files, which counted as epochs 0, 1, 2, counted",
        ),
        (
            [5, 10, 15, 20],
            [0] * 4,
            20,
            [0, 1, 2, 3],
            "at steps 5, 10, 15, 20 of the event files, which counted as epochs 0, 1, 2, 3",
        ),
        # The last evaluation, and one within an epoch.
        ([100, 200, 300, 350], [0] * 4, None, [0, 1, 2, 3], ""),
        ([100, 200, 250, 300], [0] * 4, None, [0, 1, 2, 2], ""),
        ([400, 500, 550], [0] * 3, None, [3, 4, 5], ""),
        ([0, 50, 100, 200], [0] * 4, 4, [0, 1, 2, 4], ""),
        ([37, 181, 288, 432], [0] * 4, None, [0, 1, 2, 3], ""),
    ],
)
def test_the_epochs_of_steps_with_gaps_are_right_or_said(
    tmp_path: Path, steps: list[int], others: list[int], most: int | None, expected: list[int], notice: str
) -> None:
    rows = [row for step, other in zip(steps, others, strict=True) for row in ((other, "loss", 1.0), (step, ACC, 0.5))]
    (tmp_path / NAME).write_bytes(of_tags(rows))
    source = TensorboardReader(tmp_path, ACC, lambda: False, lambda: False, max_epochs=most)

    found = source.finish()

    assert list(dict.fromkeys(m.epoch for m in found if ACC in m.values)) == list(dict.fromkeys(expected))
    assert [notice in m.notice for m in found if m.notice] == ([True] if notice else [])


@pytest.mark.parametrize(
    ("epochs", "expected"), [([0.5, 1, 1.5, 2], [0, 0, 1, 1]), ([0, 1, 2], [0, 1, 2]), ([0.25, 1, 2], [0, 0, 1])]
)
def test_a_tag_epoch_with_fractions_counts_epochs_done(
    tmp_path: Path, epochs: list[float], expected: list[int]
) -> None:
    rows = [(10 * n, tag, value) for n, done in enumerate(epochs) for tag, value in ((ACC, 0.5), ("epoch", done))]
    (tmp_path / NAME).write_bytes(of_tags(rows))

    assert [m.epoch for m in reader(tmp_path, ACC).finish() if ACC in m.values] == expected
