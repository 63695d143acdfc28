"""Training on two devices, with two processors in their place: by the real command line and by Lightning's launcher."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.depth_net.data.builders import write_mixed
from tests.depth_net.specs import read_status, write_spec

ROOT = Path(__file__).parents[2]
LIMIT_S = 600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * LIMIT_S)]


def start(*words: str, **more: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"} | more
    return subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=environment, start_new_session=True)


def wait_for(place: Path, pattern: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not list(place.glob(pattern)):
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_sigterm_to_the_first_process_stops_both_and_the_run_goes_on_from_there(tmp_path: Path) -> None:
    program = "tests.depth_net.training.two_local_processes"
    spec = write_spec(tmp_path, images=40)
    words = (program, "train", "-e", str(spec), "dataset.train_dataset.batch_size=1", "train.num_epochs=30")
    results = tmp_path / "results" / "train"

    process = start(*words)
    wait_for(results, "model_epoch_*.pth", process)
    process.send_signal(signal.SIGTERM)

    assert process.wait(LIMIT_S) == 143
    lines = read_status(results)
    assert [line["code"] for line in lines if line["status"] == "STOPPED"] == ["interrupted"]
    stopped = int((results / "dn_model_latest.pth").resolve().stem.rsplit("_", maxsplit=1)[-1])
    assert 20 <= stopped < 600
    assert not list(results.glob(".*"))

    epochs = stopped // 20 + 1
    assert start(*words, f"train.num_epochs={epochs}").wait(LIMIT_S) == 0
    ends = [line["step"] for line in read_status(results) if line["message"] == "Training loop in progress"]
    assert ends == [20 * (epoch + 1) for epoch in range(epochs)]


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    words = ("--smoke", "--out", str(tmp_path))

    assert start("benchmarks.depth_net.two_gpus", *words).wait(3 * LIMIT_S) == 0


def test_two_processes_with_unequal_numbers_of_images_and_sizes_score_as_one(tmp_path: Path) -> None:
    spec, scores = write_spec(tmp_path), []
    write_mixed(tmp_path / "val", 7)
    frozen = ("dataset.train_dataset.batch_size=1", "train.num_epochs=1", "train.optim.lr=1e-12")
    for program, size in (("depth_net", 1), ("tests.depth_net.training.two_local_processes", 3)):
        results = tmp_path / f"batch_{size}"
        words = (*frozen, f"dataset.val_dataset.batch_size={size}", f"results_dir={results}")
        assert start(program, "train", "-e", str(spec), *words).wait(LIMIT_S) == 0
        (line,) = (line for line in read_status(results / "train") if line["message"] == "Eval metrics generated.")
        scores.append(line["kpi"])

    assert scores[0]["val/num_images"] == 7
    assert scores[1] == pytest.approx(scores[0], abs=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_recorded_step_of_two_processes_exchanges_gradients_as_ddp_does(tmp_path: Path, accumulate: int) -> None:
    spec = write_spec(tmp_path, images=16)
    weights = []
    for name, more in (("ddp", {}), ("recorded", {"RECORDED": "1"})):
        results = f"results_dir={tmp_path / name}"
        settings = ("dataset.train_dataset.batch_size=1", f"train.accumulate_grad_batches={accumulate}", results)
        program = "tests.depth_net.training.two_local_processes"
        assert start(program, "train", "-e", str(spec), *settings, **more).wait(LIMIT_S) == 0
        file = tmp_path / name / "train" / "dn_model_latest.pth"
        weights.append(torch.load(file, weights_only=True, map_location="cpu")["state_dict"])

    torch.testing.assert_close(weights[1], weights[0], rtol=1e-4, atol=1e-6)
