from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import yaml

from depth_net import execution
from depth_net.actions import check
from depth_net.errors import DataError, DivergenceError, SpecError, TerminatedError
from depth_net.execution import Request, code_of, execute
from depth_net.status import reports
from tests.depth_net.specs import read_status, write_spec

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.config.experiment import ExperimentConfig
    from depth_net.status import StatusWriter


def pretend(monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
    """Replace the module of every action by one that does nothing, or raises ``error``."""

    def run(config: ExperimentConfig, status: StatusWriter) -> None:
        del config
        status.running("working")
        if error is not None:
            raise error

    pretended = SimpleNamespace(run=run)
    monkeypatch.setattr(execution, "import_action", lambda action: check if action == "check" else pretended)


def test_an_action_is_framed_by_its_first_and_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)

    assert execute(Request(action="train", spec=write_spec(tmp_path))) == 0

    lines = read_status(tmp_path / "results" / "train")
    assert [(line["status"], line["message"]) for line in lines] == [
        ("STARTED", "Starting Depth Net train."),
        ("RUNNING", "working"),
        ("RUNNING", "Train finished successfully."),
    ]


def test_the_whole_spec_is_written_beside_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)

    execute(Request(action="train", spec=write_spec(tmp_path), overrides=("train.seed=77",)))

    written = yaml.safe_load((tmp_path / "results" / "train" / "experiment.yaml").read_text(encoding="utf-8"))
    assert written["train"]["seed"] == 77
    assert written["train"]["optim"]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("error", "code", "heading", "exit_status"),
    [
        (DataError("x"), "data", "Data error: x", 1),
        (DivergenceError("x", epoch=3, step=9), "diverged", "Training diverged: x", 1),
        (SpecError("x"), "spec", "Configuration error: x", 1),
        (FileNotFoundError("x"), "infrastructure", "File system error: x", 1),
        (ValueError("x"), "trainer", "Parameter validation error: ValueError: x", 1),
        (AssertionError("x"), "trainer", "AssertionError: x", 1),
        (RuntimeError("CUDA out of memory"), "out_of_memory", "RuntimeError: CUDA out of memory", 1),
        (KeyboardInterrupt(), "interrupted", "train stopped by a signal", 130),
        (TerminatedError(), "interrupted", "train stopped by a signal", 143),
    ],
)
def test_every_error_leaves_a_failure_line_with_a_code_a_signal_a_stopped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: str, heading: str, exit_status: int
) -> None:
    pretend(monkeypatch, error)

    assert execute(Request(action="train", spec=write_spec(tmp_path))) == exit_status

    last = read_status(tmp_path / "results" / "train")[-1]
    assert (last["status"], last["code"]) == ("STOPPED" if code == "interrupted" else "FAILURE", code)
    assert last["message"].startswith(heading)


def test_a_wrong_spec_leaves_a_failure_line_where_its_results_would_be(tmp_path: Path) -> None:
    assert execute(Request(action="train", spec=write_spec(tmp_path), overrides=("train.lr=1",))) == 1

    (line,) = read_status(tmp_path / "results" / "train")
    assert (line["status"], line["code"]) == ("FAILURE", "spec")
    assert "did you mean train.optim.lr?" in line["message"]


def test_millimetres_under_a_generic_class_are_reported_before_an_evaluation_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch)
    source = f"{{dataset_name: MetricMonoDataset, data_file: {tmp_path}/val/list.txt}}"
    words = (f"evaluate.checkpoint={tmp_path}", f"dataset.test_dataset.data_sources=[{source}]")

    assert execute(Request(action="evaluate", spec=write_spec(tmp_path), overrides=words)) == 1

    lines = read_status(tmp_path / "results" / "evaluate")
    assert [line["message"] for line in lines[:-1]] == ["Starting Depth Net evaluate."]
    assert "millimetres (value / 1000)" in lines[-1]["message"]


def test_an_error_has_the_code_of_its_class() -> None:
    assert code_of(DataError("x")) == "data"
    assert code_of(KeyError("x")) == "trainer"


@pytest.mark.parametrize(
    ("environment", "first"),
    [({}, True), ({"LOCAL_RANK": "0"}, True), ({"LOCAL_RANK": "1"}, False), ({"NODE_RANK": "1"}, False)],
)
def test_only_the_first_process_of_a_distributed_run_reports(environment: dict[str, str], first: bool) -> None:  # noqa: FBT001 - a case
    assert reports(environment) is first


def test_sigterm_before_the_first_step_ends_the_action_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(config: ExperimentConfig, status: StatusWriter) -> None:
        del config, status
        os.kill(os.getpid(), signal.SIGTERM)

    pretended = SimpleNamespace(run=run)
    monkeypatch.setattr(execution, "import_action", lambda action: check if action == "check" else pretended)
    before = signal.getsignal(signal.SIGTERM)

    assert (
        execute(Request(action="evaluate", spec=write_spec(tmp_path), overrides=(f"evaluate.checkpoint={tmp_path}",)))
        == 143
    )

    last = read_status(tmp_path / "results" / "evaluate")[-1]
    assert (last["status"], last["code"], last["message"]) == ("STOPPED", "interrupted", "evaluate stopped by a signal")
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("error", "exit_status", "is_reported"),
    [(DivergenceError("x", epoch=0, step=1), 0, False), (RuntimeError("CUDA out of memory"), 1, True)],
)
def test_a_process_of_another_gpu_reports_only_what_it_alone_knows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    exit_status: int,
    is_reported: bool,  # noqa: FBT001 - a case
) -> None:
    pretend(monkeypatch, error)
    monkeypatch.setenv("LOCAL_RANK", "1")
    request = Request(action="train", spec=write_spec(tmp_path))

    assert [execute(request), execute(request)] == [exit_status, exit_status]

    file = tmp_path / "results" / "train" / "status.json"
    assert file.exists() is is_reported
    if is_reported:
        assert [line["code"] for line in read_status(file.parent)] == ["out_of_memory"]


def test_convert_writes_directly_into_its_results_folder(tmp_path: Path) -> None:
    write_spec(tmp_path)
    data = tmp_path / "photos"
    (data / "scene").mkdir(parents=True)
    for name in ("rgb_0.png", "depth_0.png"):
        (tmp_path / "train" / name).rename(data / "scene" / name)
    tree = {
        "results_dir": str(tmp_path / "lists"),
        "data_root": str(data),
        "image_dir_pattern": ["rgb_"],
        "depth_dir_pattern": ["depth_"],
        "image_extension": ".png",
        "depth_extension": ".png",
    }
    spec = tmp_path / "convert.yaml"
    spec.write_text(yaml.safe_dump(tree), encoding="utf-8")

    assert execute(Request(action="convert", spec=spec)) == 0

    assert (tmp_path / "lists" / "test.txt").read_text(encoding="utf-8").count("\n") == 1
    assert read_status(tmp_path / "lists")[-1]["message"] == "Dataset convert finished successfully."
    assert not (tmp_path / "lists" / "experiment.yaml").exists()


def test_the_collector_skips_what_an_action_has_imported_and_works_on() -> None:
    code = """
import gc
from depth_net.execution import import_action
assert import_action("gen_trt_engine").DEPLOY_IMAGE
assert gc.isenabled() and gc.get_freeze_count() > 1000
"""

    subprocess.run([sys.executable, "-c", code], check=True)


def test_loading_processes_are_forked_whatever_the_number_of_threads(tmp_path: Path) -> None:
    overrides = [f"dataset.train_dataset.{word}" for word in ("workers=1", "cache_mb=0", "batch_size=33")]
    command = f"""
import sys
from multiprocessing.forkserver import _forkserver
from depth_net.cli import main
status = main(["train", "-e", {str(write_spec(tmp_path, images=66))!r}, "train.num_epochs=1", *{overrides!r}])
sys.exit(status or ("a fork server was started" if _forkserver._forkserver_pid else 0))
"""
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}

    done = subprocess.run(
        [sys.executable, "-c", command],
        env=environment | {"OMP_NUM_THREADS": "4"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    assert "1 loading processes" not in done.stderr


@pytest.mark.parametrize(("load", "policy"), [(0.1, None), (1000.0, "PASSIVE")])
def test_threads_sleep_while_they_wait_on_a_busy_machine_only(
    load: float, policy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))

    execution.import_action("check")

    assert os.environ.get("OMP_WAIT_POLICY") == policy
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
