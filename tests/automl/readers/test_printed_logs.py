"""Logs as common trainers and loops of one's own print them: the curve, and whether anything is said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.automl.readers.test_log_choice import curve, notices, read

if TYPE_CHECKING:
    from pathlib import Path

VALUES = (0.61, 0.64, 0.64, 0.7)
"""An equal value in two epochs is the one that is lost."""
CURVE = dict(enumerate(VALUES))


def each(form: str) -> str:
    return "".join(form.format(e=e, n=e + 1, t=e * 100, v=value) for e, value in enumerate(VALUES))


def grown(e: int) -> str:
    history = [{"epoch": k, "acc": VALUES[k]} for k in range(e)]
    return json.dumps({"epoch": e, "acc": VALUES[e], "history": history}, indent=2) + "\n"


LOGS = [
    ("a dict of an evaluation", "{{'loss': 0.9, 'epoch': {e}.5}}\n{{'eval_loss': 1, 'acc': {v}, 'epoch': {n}.0}}\n"),
    ("fields of a logger", "2026-11-30T10:00:00Z level=info event=eval epoch={e} split=val acc={v} dur_ms=12\n"),
    ("a source in the stamp", "2026-11-30 10:00:00.123 | INFO | __main__:fit:12 - epoch {e}: train f1=1, acc={v}\n"),
    ("pairs with bars", "2026-11-30 | INFO | valid | epoch {n:03d} | loss 0.4 | acc: {v} | best_acc: 0.9\n"),
    ("rows with rules, the epoch behind", "------\n| acc | {v} |\n| Epoch | {e} |\n------\n"),
    ("an epoch that is over", "[{n}/4] training\n  loss 0.3\n  acc: {v}\nEpoch {n} finished in 3.1s\n"),
    ("the best beside it", "Epoch {n}/4 | acc: {v} (best: 0.9)\n"),
    ("sections", "[epoch.{e}]\nacc = {v}\nlr = 0.1\n\n"),
    ("after an epoch", "Evaluating after epoch {n}\nacc = {v}\n"),
    ("rounds of boosting", "[{e}]\ttrain-auc:0.9\tacc:{v}\n"),
    ("brackets behind", "Epoch {e}: acc: {v} +/- 0.01 [0.5, 0.8]\n"),
    ("a path with epochs", "Epoch {e}\nsaved runs/epoch_99/model.pt\nacc: {v}\n"),
    ("steps of an iteration", "iter {t}\nacc: {v}\n"),
    ("a part inside", "Epoch {n}/4\n  [G] loss: 0.1\n  [D] loss: 0.2\n  acc: {v}\n"),
    ("ranks", "[rank0]: epoch {e} acc: {v}\n[rank1]: epoch {e} acc: {v}\n"),
    ("a table of two rows", "|       | acc |\n| Train | 0.{n} |\n| Val   | {v} |\n"),
    ("YAML of objects", "---\nmetrics:\n  train:\n    f1: 1\n  acc: {v}\nstep: {t}\nepoch: {e}\n"),
]


@pytest.mark.parametrize("form", [row[1] for row in LOGS], ids=[row[0] for row in LOGS])
def test_a_log_gives_the_value_of_each_epoch(tmp_path: Path, form: str) -> None:
    found = read(tmp_path, each(form), "acc")

    assert (curve(found, "acc"), notices(found)) == (CURVE, [])
    assert curve(read(tmp_path, each(form), "acc", bytes_at_once=11), "acc") == CURVE


def test_an_object_with_its_epoch_counts_without_those_of_earlier_ones_inside_it(tmp_path: Path) -> None:
    found = read(tmp_path, "".join(map(grown, range(4))), "acc")

    assert (curve(found, "acc"), notices(found)) == (CURVE, [])


def test_equal_lines_behind_each_other_count_once_and_that_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, "acc: 0.6\nacc: 0.7\nacc: 0.7\n", "acc")

    assert curve(found, "acc") == {0: 0.6, 1: 0.7}
    assert ["one behind the other, count once" in said for said in notices(found)] == [True]
