from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from depth_net.actions import evaluate
from depth_net.actions.prediction import load_split, predict_images
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType
from depth_net.model.native_size import restore_native_size
from depth_net.model.restored import restore_model
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


def test_a_protocol_adds_its_scores_and_leaves_those_of_a_validation_as_they_are(tmp_path: Path) -> None:
    plain = load_trained(tmp_path, "evaluate")
    evaluate.run(plain, open_status(tmp_path))
    before = read_status(tmp_path)[-1]["kpi"]
    config = load_trained(tmp_path, "evaluate", "evaluate.protocol=kitti", "evaluate.max_depth=3.5")

    evaluate.run(config, open_status(tmp_path))

    kpi = read_status(tmp_path)[-1]["kpi"]
    assert {name: value for name, value in kpi.items() if name.startswith("val/")} == before
    device = torch.device("cpu")
    model = restore_model(config, str(tmp_path / "checkpoint.pth"))
    errors = []
    for image in predict_images(model, load_split(config, "test", 10.0), device):
        index = int(image.path.stem.rpartition("_")[2])
        depth = np.asarray(cv2.imread(str(tmp_path / f"val/depth_{index}.png"), cv2.IMREAD_UNCHANGED)) / 1000
        rows, columns = slice(int(0.40810811 * 48), int(0.99189189 * 48)), slice(int(0.03594771 * 64), 61)
        found, wanted = image.prediction.double().numpy()[rows, columns], depth[rows, columns]
        mask = (wanted > 0.001) & (wanted < 3.5)
        errors.append(np.mean(np.abs(np.clip(found[mask], 0.001, 3.5) - wanted[mask]) / wanted[mask]))
    assert kpi["kitti/abs_rel"] == pytest.approx(np.mean(errors), abs=1e-6)
    results = json.loads((tmp_path / "results" / "evaluate" / "results.json").read_text(encoding="utf-8"))
    assert results["image_mean"]["depth"]["abs_rel"] == kpi["kitti/abs_rel"]
    assert results["protocol"]["crop"] == "garg"


def test_scores_by_the_rules_of_the_validation_are_those_of_the_validation(tmp_path: Path) -> None:
    evaluate.run(load_trained(tmp_path, "evaluate"), open_status(tmp_path))

    results = json.loads((tmp_path / "results" / "evaluate" / "results.json").read_text(encoding="utf-8"))

    for name, value in results["pooled"]["depth"].items():
        assert results.get(f"val/{name}", value) == pytest.approx(value, abs=1e-9)


def test_predictions_of_an_image_and_its_mirror_image_are_averaged(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "evaluate")
    model = restore_model(config, str(tmp_path / "checkpoint.pth"))
    loader, device = load_split(config, "test", 10.0), torch.device("cpu")

    averaged = next(predict_images(model, loader, device, flip_average=True)).prediction

    sample = loader.dataset[0]["image"][None]
    with torch.inference_mode():
        expected = (model(sample) + model(sample.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(averaged, restore_native_size(expected[0], averaged.shape))


def test_metres_are_not_made_of_disparity_in_pixels(tmp_path: Path) -> None:
    load_trained(tmp_path, "evaluate", model_type=ModelType.RELATIVE)
    keys = ["evaluate.protocol=kitti", "dataset.test_dataset.data_sources[0].dataset_name=Middlebury"]
    config = load_trained(tmp_path, "evaluate", *keys, model_type=ModelType.RELATIVE)

    with pytest.raises(SpecError, match=r"80 m \(kitti\) for Middlebury, whose disparities in pixels have no metres"):
        evaluate.run(config, open_status(tmp_path))


def test_a_split_without_a_valid_pixel_is_refused(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "evaluate")
    for depth in (tmp_path / "val").glob("depth_*.png"):
        cv2.imwrite(str(depth), np.zeros((48, 64), dtype=np.uint16))

    with pytest.raises(DataError, match="found no valid ground-truth pixel in 3 images"):
        evaluate.run(config, open_status(tmp_path))


@pytest.mark.slow  # the training of tests/depth_net/test_execution.py shows the same by default
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
