from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from depth_net.actions import evaluate
from depth_net.errors import DataError
from depth_net.model.family import ModelType
from tests.depth_net.actions.trained import load_trained, open_status
from tests.depth_net.data.builders import write_mixed, write_nyu
from tests.depth_net.specs import read_status

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("model_type", ModelType)
def test_scores_stand_in_the_status_line_and_in_the_results_file(tmp_path: Path, model_type: ModelType) -> None:
    config = load_trained(tmp_path, "evaluate", model_type=model_type)

    evaluate.run(config, open_status(tmp_path))

    lines = read_status(tmp_path)
    assert [line["message"] for line in lines] == [
        f"Loading checkpoint: {tmp_path / 'checkpoint.pth'}",
        "Test metrics generated.",
    ]
    kpi = lines[-1]["kpi"]
    assert {"val/d1", "val/d2", "val/d3", "val/abs_rel", "val/rmse", "val/silog", "val/d1_constant"} <= set(kpi)
    assert kpi["val/num_images"] == 3
    assert 0 <= kpi["val/d1"] <= kpi["val/d2"] <= kpi["val/d3"] <= 1
    results = json.loads((tmp_path / "results" / "evaluate" / "results.json").read_text(encoding="utf-8"))
    assert {name: value for name, value in results.items() if name in kpi} == kpi
    assert results["model_type"] == model_type


def test_scores_do_not_depend_on_the_batch_size_when_images_differ_in_size(tmp_path: Path) -> None:
    scores = []
    for size in (1, 2, 7):
        config = load_trained(tmp_path, "evaluate", f"dataset.test_dataset.batch_size={size}")
        write_mixed(tmp_path / "val", 7)
        evaluate.run(config, open_status(tmp_path))
        scores.append(read_status(tmp_path)[-1]["kpi"])

    assert scores[0]["val/num_images"] == 7
    assert scores[1] == pytest.approx(scores[0], abs=1e-5)
    assert scores[2] == pytest.approx(scores[0], abs=1e-5)


def test_a_split_without_a_valid_pixel_is_refused(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "evaluate")
    for depth in (tmp_path / "val").glob("depth_*.png"):
        cv2.imwrite(str(depth), np.zeros((48, 64), dtype=np.uint16))

    with pytest.raises(DataError, match="found no valid ground-truth pixel in 3 images"):
        evaluate.run(config, open_status(tmp_path))


def test_loading_processes_are_forked_before_the_model_runs(tmp_path: Path) -> None:
    load_trained(tmp_path, "evaluate")
    data = [{"dataset_name": "NYUDV2", "data_file": str(write_nyu(tmp_path / "test", 66))}]
    overrides = ["dataset.test_dataset.workers=1", f"dataset.test_dataset.data_sources={json.dumps(data)}"]
    checkpoint = f"evaluate.checkpoint={tmp_path / 'checkpoint.pth'}"
    command = f"""
import sys
from multiprocessing.forkserver import _forkserver
from depth_net.cli import main
status = main(["evaluate", "-e", {str(tmp_path / "spec.yaml")!r}, *{[checkpoint, *overrides]!r}])
sys.exit(status or ("a fork server was started" if _forkserver._forkserver_pid else 0))
"""

    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stderr
    assert "loading processes instead of" not in done.stdout + done.stderr
