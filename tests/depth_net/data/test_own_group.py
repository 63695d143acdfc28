"""Loading processes and signals to the whole process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_importing_the_module_gives_a_process_its_own_group() -> None:
    code = "import os; import depth_net.data.own_group; print(os.getpgid(0) == os.getpid())"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "True"


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])  # with a second thread loading processes come from a fork server
def test_a_signal_to_the_whole_group_ends_in_order_beside_loading_processes(tmp_path: Path, threads: str) -> None:
    spec = write_spec(tmp_path, images=70)
    overrides = ["dataset.train_dataset.workers=1", "train.num_epochs=500", "train.validation_interval=500"]
    process = subprocess.Popen(
        [sys.executable, "-m", "depth_net", "train", "-e", str(spec), *overrides],
        env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
        start_new_session=True,
    )
    status = tmp_path / "results" / "train" / "status.json"
    deadline_s = time.monotonic() + 120.0
    while not (status.exists() and "Train metrics" in status.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline_s
        assert process.poll() is None
        time.sleep(0.1)

    os.killpg(process.pid, signal.SIGTERM)

    assert process.wait(60.0) == 143
    assert "interrupted" in status.read_text(encoding="utf-8")
