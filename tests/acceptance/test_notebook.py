"""Studies in a notebook, with a real kernel: the example as it is committed, and an interrupt."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

import automl

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(900)]

EXAMPLE = Path(__file__).parents[2] / "examples/notebook/tune.ipynb"
READ: Any = nbformat.reads  # it has no types
_PATIENCE_S = 600


def executed(
    notebook: Any,  # noqa: ANN401 # a mapping with attributes
    folder: Path,
) -> list[dict[str, Any]]:
    """Run a notebook as a person does; return the outputs of its cells of code, which may be errors."""
    client = NotebookClient(
        notebook, timeout=_PATIENCE_S, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def test_the_example_runs_as_it_is_committed(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    notebook = READ((tmp_path / EXAMPLE.name).read_text(encoding="utf-8"), as_version=4)
    kept = [output["output_type"] for cell in notebook.cells for output in cell.get("outputs", ())]

    outputs = executed(notebook, tmp_path)

    assert [output["output_type"] for output in outputs] == kept
    assert "error" not in kept
    progress, study = [output for output in outputs if "text/html" in output.get("data", {})][:2]
    assert "8/8 trials" in progress["data"]["text/plain"]
    assert "<table" in study["data"]["text/html"]
    assert "best trial" in study["data"]["text/html"]
    found = automl.load(tmp_path / "results/train")
    default = found.trials_dataframe().iloc[0]["val_acc"]
    assert found.best is not None
    assert found.best.value > default


def test_an_interrupt_ends_the_study_and_a_later_cell_continues_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(EXAMPLE.parents[1] / "csv", tmp_path / "csv"))
    monkeypatch.setenv("EPOCH_S", "0.5")
    log = folder / "results/csv-study/events.jsonl"
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))

    def reply(cell: str, *, is_interrupted: bool = False) -> dict[str, Any]:
        request = client.execute(cell)
        if is_interrupted:
            wait_for(log, '"measured"')
            manager.interrupt_kernel()
        while True:
            answer = client.get_shell_msg(timeout=_PATIENCE_S)
            if answer["parent_header"]["msg_id"] == request:
                return dict(answer["content"])

    try:
        run = 'import automl\nstudy = automl.Study.from_file("study.yaml")\nstudy.run(trials=3)'
        interrupted = reply(run, is_interrupted=True)
        before = automl.load(log.parent).trials_dataframe()
        resumed = reply("study.resume()")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    assert interrupted["ename"] == "InterruptedStudyError"
    assert f"automl resume {log.parent} continues it" in interrupted["evalue"]
    assert "INTERRUPTED" in set(before.state)
    assert resumed["status"] == "ok"
    study = automl.load(log.parent)
    assert list(study.trials_dataframe().state) == ["COMPLETED"] * 3
    epochs = study.curves().groupby("trial").epoch.apply(list)
    assert list(epochs) == [[0, 1, 2, 3, 4, 5]] * 3
    assert len(list(log.parent.glob("trials/*.2"))) == len(before)


def wait_for(file: Path, text: str) -> None:
    """Return when a file has a text."""
    ends_s = time.monotonic() + _PATIENCE_S
    while not file.is_file() or text not in file.read_text(encoding="utf-8"):
        assert time.monotonic() < ends_s
        time.sleep(0.1)
