"""Studies in a notebook, with a real kernel: the example as it is committed, and an interrupt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

import automl

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(900)]

EXAMPLE = Path(__file__).parents[2] / "examples/notebook/tune.ipynb"
READ: Any = nbformat.reads  # it has no types
_PATIENCE_S = 300
_SLOW_TRAINING = """
import automl, time
def train(lr: float = 0.1, checkpoint=None):
    first = 0 if checkpoint is None else int(open(checkpoint).read()) + 1
    for epoch in range(first, 3):
        open(f"{epoch}.txt", "w").write(str(epoch))
        automl.report(epoch=epoch, val_loss=lr + 1 / (epoch + 1), checkpoint=f"{epoch}.txt")
        time.sleep(0 if first else 600 if epoch == 1 else 0.1)
    return None
"""
_TUNE = """
automl.tune(train, {"lr": "0.01..1 log"}, "val_loss minimize", trials=2, results="r", resources={"gpus_per_trial": 0})
"""
_RESUME = 'automl.load("r/train").resume()'


def executed(
    notebook: Any,  # noqa: ANN401 # a mapping with attributes
    folder: Path,
    meanwhile: Callable[[], None] | None = None,
) -> list[dict[str, Any]]:
    """Run a notebook as a person does; return the outputs of its cells of code, which may be errors."""
    client = NotebookClient(
        notebook, timeout=_PATIENCE_S, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    beside = threading.Thread(target=meanwhile) if meanwhile is not None else None
    if beside is not None:
        beside.start()
    client.execute()
    if beside is not None:
        beside.join()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def texts(outputs: list[dict[str, Any]]) -> str:
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def test_the_example_runs_as_it_is_committed(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    notebook = READ((tmp_path / EXAMPLE.name).read_text(encoding="utf-8"), as_version=4)
    kept = [output["output_type"] for cell in notebook.cells for output in cell.get("outputs", ())]

    outputs = executed(notebook, tmp_path)

    assert [output["output_type"] for output in outputs] == kept
    assert "error" not in kept
    progress, study = outputs[:2]
    assert "8/8 trials" in progress["data"]["text/plain"]
    assert "<table" in study["data"]["text/html"]
    assert "best trial" in study["data"]["text/html"]
    found = automl.load(tmp_path / "results/train")
    default = found.trials_dataframe().iloc[0]["val_acc"]
    assert found.best is not None
    assert found.best.value > default


def test_an_interrupt_of_the_kernel_ends_the_study_and_a_resume_continues_it(tmp_path: Path) -> None:
    sources = enumerate((_SLOW_TRAINING, _TUNE, _RESUME))
    plain: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{"id": f"cell-{number}", "source": source, **plain} for number, source in sources]
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    notebook = READ(json.dumps(document), as_version=4)
    log = tmp_path / "r/train/events.jsonl"

    def interrupt() -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
            if {json.loads(line)["trial"] for line in lines if '"epoch": 1' in line} == {0, 1}:
                break
            time.sleep(0.2)
        kernel = next(process for process in psutil.Process().children() if "ipykernel" in " ".join(process.cmdline()))
        os.killpg(kernel.pid, signal.SIGINT)  # what the button does

    outputs = executed(notebook, tmp_path, interrupt)

    (error,) = (output for output in outputs if output["output_type"] == "error")
    assert error["ename"] == "InterruptedStudyError"
    assert error["traceback"] == [f"error: {error['evalue']}"]
    assert "interrupted after 0 of 2 trials" in error["evalue"]
    assert f"automl resume {tmp_path / 'r/train'} continues it" in error["evalue"]
    frame = automl.load(tmp_path / "r/train").trials_dataframe()
    assert list(frame["state"]) == ["COMPLETED", "COMPLETED"]
    assert list(frame["epoch"]) == [2, 2]
    second = [tmp_path / f"r/train/trials/{name}.2/attempt.json" for name in ("0000", "0001")]
    assert [json.loads(file.read_text(encoding="utf-8"))["first_epoch"] for file in second] == [2, 2]
