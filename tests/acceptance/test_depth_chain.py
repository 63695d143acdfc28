"""The trainer's whole chain on the demo data: train, evaluate, inference, export, quantize, evaluate again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
import yaml

from benchmarks.depth_net.chain import HEIGHT, WIDTH, make_spec
from tests.depth_net.specs import read_status

if TYPE_CHECKING:
    from _pytest.tmpdir import TempPathFactory

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

CHAIN = """
import sys
from depth_net.cli import main

spec, results = sys.argv[1:]
best = f"{results}/train/dn_model_best.pth"
small = f"{results}/quantize/quantized_model_torchao.pth"
for words in (
    ["train"],
    ["evaluate", f"evaluate.checkpoint={best}"],
    ["inference", f"inference.checkpoint={best}", "inference.save_raw_npy=true"],
    ["export", f"export.checkpoint={best}"],
    ["quantize", f"quantize.model_path={best}"],
    ["evaluate", f"evaluate.checkpoint={small}", f"evaluate.results_dir={results}/int8"],
):
    status = main([words[0], "-e", spec, *words[1:]])
    assert status == 0, (words, status)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    program = Path(sys.executable).with_name("depth_net")
    subprocess.run([program, "demo-data", folder / "data"], check=True, capture_output=True)
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump(make_spec(folder)), encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-c", CHAIN, spec, folder / "out"], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout[-3000:] + child.stderr[-3000:]
    return folder / "out"


def test_evaluate_measures_a_trained_model(results: Path) -> None:
    kpi = _read(results / "evaluate" / "results.json")

    assert kpi["val/d1"] > kpi["val/d1_constant"] + 0.05


def test_eight_bit_weights_score_like_the_ones_they_come_from(results: Path) -> None:
    full, small = _read(results / "evaluate" / "results.json"), _read(results / "int8" / "results.json")

    assert small["val/d1"] == pytest.approx(full["val/d1"], abs=0.02)
    assert small["val/d1"] != full["val/d1"]


def test_the_exported_file_takes_one_image_and_three(results: Path) -> None:
    session = onnxruntime.InferenceSession(results / "export" / "model.onnx", providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    images = random.standard_normal((3, 3, HEIGHT, WIDTH)).astype(np.float32)

    (three,) = session.run(None, {"images": images})
    (one,) = session.run(None, {"images": images[:1]})

    assert three.shape == (3, HEIGHT, WIDTH)
    assert np.abs(three[:1] - one).max() < 1e-4


def test_every_validation_image_has_a_picture_and_a_map_in_metres(results: Path) -> None:
    pictures = sorted((results / "inference" / "inference_images").rglob("*.jpg"))
    maps = sorted((results / "inference").rglob("*.npy"))

    assert len(pictures) == len(maps) == 24
    assert all(0 < float(np.load(file).min()) <= float(np.load(file).max()) <= 8.0 for file in maps)


@pytest.mark.parametrize("action", ["train", "evaluate", "inference", "export", "quantize"])
def test_each_action_says_that_it_finished(results: Path, action: str) -> None:
    assert "finished successfully" in read_status(results / action)[-1]["message"]


def _read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document
