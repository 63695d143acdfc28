"""What training code may say to the study that runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl import report, should_stop
from automl.architectures.model import CheckpointNaming
from automl.readers.status_file import StatusReader
from automl.reporting import reported_metrics
from automl.trial.checkpoints import list_checkpoints

NAMING = CheckpointNaming()


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_TRIAL_DIR", str(tmp_path))
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_outside_a_study_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOML_TRIAL_DIR", raising=False)
    monkeypatch.chdir(tmp_path)

    report(epoch=0, val_acc="no number", checkpoint="nowhere")  # type: ignore[arg-type] # it is not looked at

    assert not should_stop()
    assert not list(tmp_path.iterdir())


def test_reports_are_read_with_their_epochs_also_when_values_repeat(trial: Path) -> None:
    report(epoch=0, val_acc=0.5, train_loss=1.0)
    report({"val/acc": 0.5}, epoch=1, val_acc=0.5)
    report(epoch=2, val_acc=float("nan"))

    found = list(StatusReader(trial).finish())

    assert [(m.epoch, m.values.get("val_acc")) for m in found] == [(0, 0.5), (1, 0.5), (2, None)]
    assert found[2].nonfinite == {"val_acc": "nan"}


def test_a_checkpoint_belongs_to_its_epoch_until_it_is_written_anew(trial: Path) -> None:
    for epoch in range(2):
        Path(f"e{epoch}.bin").write_bytes(b"weights")
        report(epoch=epoch, val_acc=0.1, checkpoint=f"e{epoch}.bin")
    Path("last.bin").write_bytes(b"two")
    report(epoch=2, val_acc=0.1, checkpoint="last.bin")

    named = [(c.epoch, c.path.name) for c in list_checkpoints(trial, NAMING)]
    Path("last.bin").write_bytes(b"three, half")

    assert named == [(0, "e0.bin"), (1, "e1.bin"), (2, "last.bin")]
    assert [c.path.name for c in list_checkpoints(trial, NAMING)] == ["e0.bin", "e1.bin"]


class _Vector:
    """Stands for a tensor of several values."""

    def __float__(self) -> float:
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")


@pytest.mark.usefixtures("trial")
@pytest.mark.parametrize("value", [_Vector(), 10**400, None, (0.5, 1), {"a": 1}])
def test_what_is_no_single_number_is_named(value: object) -> None:
    with pytest.raises(TypeError, match=r"report: val_acc is .*, which is no number"):
        report(epoch=0, val_acc=value)  # type: ignore[arg-type] # that is wrong


@pytest.mark.usefixtures("trial")
def test_a_wrong_report_is_an_error_of_the_program(tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.bin"
    outside.write_bytes(b"x")

    with pytest.raises(TypeError, match=r"val_acc is \[1\], which is no number"):
        report(epoch=0, val_acc=[1])  # type: ignore[arg-type] # that is wrong
    with pytest.raises(ValueError, match="needs the epoch"):
        report(val_acc=1, checkpoint=outside)
    with pytest.raises(ValueError, match="outside"):
        report(epoch=0, val_acc=1, checkpoint=outside)


def test_of_several_ranks_the_first_one_reports(trial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    report(epoch=0, val_acc=0.5)
    monkeypatch.setenv("RANK", "0")
    report(epoch=1, val_acc=0.5)

    assert [json.loads(line)["epoch"] for line in (trial / "status.json").read_text().splitlines()] == [1]


def test_a_request_to_stop_is_seen(trial: Path) -> None:
    assert not should_stop()
    (trial / "stop").write_text("enough", encoding="utf-8")
    assert should_stop()


def test_lines_of_several_processes_stay_whole(trial: Path) -> None:
    code = (
        "from automl import report\nfor i in range(200): report(epoch=i, **{f'metric_{k}': i / 7 for k in range(40)})"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], env={**os.environ}) for _ in range(2)]
    for process in processes:
        assert process.wait(60) == 0

    lines = (trial / "status.json").read_text(encoding="utf-8").splitlines()

    assert len(lines) == 400
    assert all(len(json.loads(line)["kpi"]) == 40 for line in lines)


def test_the_import_is_small() -> None:
    code = (
        "import sys; import automl; print([m for m in ('click', 'yaml', 'numpy', 'ray', 'rich') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("epoch", [-1, True, 1.5, "2"])
def test_an_epoch_that_is_none_is_refused(trial: Path, epoch: Any) -> None:  # noqa: ANN401 # as a user may
    with pytest.raises((TypeError, ValueError), match="report: the epoch is"):
        report(epoch=epoch, loss=0.5)
    assert not (trial / "status.json").exists()


@pytest.mark.usefixtures("trial")
def test_an_epoch_may_be_a_number_of_numpy_and_the_last_one_is_known() -> None:
    report(epoch=np.int64(2), loss=0.5)

    assert reported_metrics() == ({"loss"}, 2)
