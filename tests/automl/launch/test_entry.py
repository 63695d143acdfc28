from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.launch.entry import WarmEntry, find_entry
from tests.automl.launch.test_local import PROGRAM, install_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _collect_again() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_a_console_script_is_found_by_its_name() -> None:
    entry = find_entry("automl")

    assert entry is not None
    assert entry.value == "automl.cli.app:main"
    assert find_entry("no-such-script") is None


def test_an_unknown_script_cannot_be_warm() -> None:
    with pytest.raises(LookupError, match="no-such-script"):
        WarmEntry("no-such-script")


def test_a_module_that_starts_a_thread_cannot_be_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = "import threading; threading.Thread(target=threading.Event().wait, args=(2.0,), daemon=True).start()"
    install_program(tmp_path, monkeypatch, PROGRAM.replace("toy", "x") + thread + "\n")
    monkeypatch.delitem(__import__("sys").modules, "toy_trainer", raising=False)

    with pytest.raises(RuntimeError, match="preloading toy_trainer has started 1 threads"):
        WarmEntry("toy-trainer")


PRELOADED = """
import json, os, sys
from automl.launch.entry import WarmEntry
WarmEntry("depth_net")
torch = sys.modules["torch"]
names = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
print(json.dumps({
    "modules": sorted(sys.modules),
    "is_cuda_touched": torch.cuda.is_initialized() or any("/dev/nvidia" in name for name in names),
    "threads": len(os.listdir("/proc/self/task")),
}))
"""


def test_the_depth_trainer_is_preloaded_with_its_libraries_and_no_gpu_is_touched() -> None:
    environment = {**os.environ, "PYTORCH_NVML_BASED_CUDA_CHECK": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)

    wanted = {"torch", "lightning", "transformers", "depth_net.actions.train", "depth_net.task"}
    assert wanted <= set(found["modules"])
    assert not found["is_cuda_touched"]
    assert found["threads"] == 1  # others would be missing in a fork
    assert not {"ray", "optuna", "mlflow"} & set(found["modules"])
