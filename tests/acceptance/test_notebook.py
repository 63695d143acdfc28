"""Studies in a notebook, with a real kernel: the example as it is committed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
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
