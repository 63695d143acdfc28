"""The sources of an attempt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.storage.paths import AttemptPaths
from automl.study.objectives import Direction, Objective
from automl.trial.sources import recorded_measurements, sources_of
from tests.automl.trial.flat_task import empty_history

if TYPE_CHECKING:
    from pathlib import Path

    from automl.trial.watch import TrialWatch


def watch(*, is_function: bool) -> TrialWatch:
    objective = Objective(metric="val_acc", direction=Direction.MAXIMIZE)
    return replace(empty_history().watch, objective=objective, is_function=is_function, first_epoch=0)


@pytest.mark.parametrize("is_function", [True, False])
def test_of_a_function_nothing_counts_that_it_or_a_library_writes(tmp_path: Path, *, is_function: bool) -> None:
    files = AttemptPaths(tmp_path)
    files.log_file.write_text("epoch 1: val_acc=91\nepoch 2: val_acc=92 loss=nan\n", encoding="utf-8")
    (tmp_path / "metrics.csv").write_text("epoch,val_acc\n0,0.7\n1,0.8\n", encoding="utf-8")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/status.json").write_text('{"epoch": 0, "kpi": {"val_acc": 0.5}}\n', encoding="utf-8")
    looked = watch(is_function=is_function)

    running = [m for source in sources_of(files, looked, has_objective=lambda: False) for m in source.read()]
    early = [*running, *recorded_measurements(files, looked)]
    files.status_file.write_text('{"kpi": {"val_acc": 0.6}}\n', encoding="utf-8")
    reported = [m.values for m in recorded_measurements(files, looked) if m.values]

    assert bool(early) is not is_function
    assert {"val_acc": 0.6} in reported
    assert ({"val_acc": 0.5} in reported) is not is_function
