"""A trainer that removes its whole folder is read to its end, and what automl had written there is put back."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.launch.local import LocalLauncher
from automl.study.objectives import Direction, Objective
from automl.study.trial import FailureKind, TrialState
from automl.trial.runner import run_trial
from automl.trial.sources import recorded_measurements
from tests.automl.trial.test_runner import task_in

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.trial import Measurement, TrialResult
    from automl.trial.task import TrialTask

EPOCHS = {0: 0.5, 1: 0.625, 2: 0.75}
REMOVE = "shutil.rmtree(here); os.makedirs(here)"
PRINT = "print(f'epoch {n}: val_acc={0.5 + n / 8}', flush=True)"


def run_program(
    folder: Path, *lines: str, epochs: str = PRINT, stall_s: float | None = None
) -> tuple[TrialResult, list[Measurement], TrialTask]:
    """Run a trainer of three epochs: lines before them, one in each of them with its number ``n``."""
    program = folder / "trainer.py"
    head = ("import logging, os, shutil, sys, time", "here = os.environ['AUTOML_TRIAL_DIR']")
    loop = ("for n in range(3):", "    if n: time.sleep(0.3)", *(f"    {line}" for line in epochs.split("\n")))
    program.write_text("\n".join((*head, *lines, *loop)) + "\n", encoding="utf-8")
    objective = Objective(metric="val_acc", direction=Direction.MAXIMIZE)
    command = f"{sys.executable} {program} {{config_path}}"
    task = task_in(folder / "study", template=command, objective=objective, stall_s=stall_s)
    task = replace(task, watch=replace(task.watch, first_epoch=0), start=replace(task.start, token="abc"))  # noqa: S106 # of the attempt
    reported: list[Measurement] = []
    launcher = LocalLauncher()
    try:
        result = run_trial(task, launcher, report=reported.append, stop_requested=lambda: None)
    finally:
        launcher.close()
    return result, reported, task


def notices(reported: list[Measurement]) -> list[str]:
    return [measurement.notice for measurement in reported if measurement.notice]


@pytest.mark.parametrize(
    ("start", "epochs"),
    [
        (REMOVE, PRINT),
        ("", f"{PRINT}\nif n == 1: {REMOVE}"),
        ("", f"{PRINT}\n{REMOVE}"),
        ("", f"{PRINT}\nif n == 2: shutil.rmtree(here)"),
    ],
    ids=["at its start", "in the middle", "each epoch", "at its end, and does not make it again"],
)
def test_what_it_prints_is_read_to_the_end_and_its_log_is_put_back(tmp_path: Path, start: str, epochs: str) -> None:
    result, reported, task = run_program(tmp_path, start, epochs=epochs)

    assert (result.state, dict(result.curve)) == (TrialState.COMPLETED, EPOCHS)
    assert notices(reported) == [
        "it removed what automl had written in its folder: train.log was put back, spec.yaml was written again"
    ]
    printed = [f"epoch {n}: val_acc={value}" for n, value in EPOCHS.items()]
    assert task.files.log_file.read_text(encoding="utf-8").splitlines() == printed
    assert json.loads(task.files.start_file.read_text(encoding="utf-8"))["token"] == task.start.token
    assert "lr: 0.1" in task.spec_file.read_text(encoding="utf-8")
    assert {m.epoch: m.values["val_acc"] for m in recorded_measurements(task.files, task.watch)} == EPOCHS


def test_nothing_is_put_back_into_the_folder_of_another_attempt(tmp_path: Path) -> None:
    other = '{"token": "of another"}'
    put = f"{REMOVE}; open(here + '/attempt.json', 'w').write({other!r}); open(here + '/train.log', 'w').write('other')"

    result, reported, task = run_program(tmp_path, put)

    assert result.state is TrialState.FAILED
    assert "the folder of another attempt" in result.reason
    assert (task.files.log_file.read_text(encoding="utf-8"), notices(reported)) == ("other", [])
    assert not task.files.own_log.exists()


def test_a_checkpoint_that_it_writes_afterwards_counts(tmp_path: Path) -> None:
    save = "zipfile.ZipFile(f'{here}/train/model_epoch_{n:03d}_step_00001.pth', 'w').writestr('weights', 'w' * 100)"
    setup = f"{REMOVE}; os.makedirs(here + '/train'); import zipfile"

    result, _, _ = run_program(tmp_path, setup, epochs=f"{PRINT}\n{save}")

    assert (result.best_epoch, result.checkpoint) == (2, "trials/0007/train/model_epoch_002_step_00001.pth")


def test_why_it_failed_is_found_in_what_it_printed(tmp_path: Path) -> None:
    result, _, _ = run_program(tmp_path, REMOVE, "raise RuntimeError('CUDA out of memory')")

    assert result.state is TrialState.FAILED
    assert result.failure is FailureKind.OUT_OF_MEMORY
    assert result.log_tail[-1] == "RuntimeError: CUDA out of memory"


@pytest.mark.parametrize("prints", [True, False])
def test_a_log_of_its_own_under_the_name_of_ours_is_read_and_kept(tmp_path: Path, *, prints: bool) -> None:
    setup = "logging.basicConfig(level=20, format='%(message)s', handlers=[logging.FileHandler(here + '/train.log')])"
    report = "logging.info('epoch %d: val_acc=%s', n, 0.5 + n / 8)"

    result, reported, task = run_program(
        tmp_path, REMOVE, setup, "print('begins')", epochs=f"{report}\n{PRINT}" if prints else report
    )

    assert (result.state, dict(result.curve)) == (TrialState.COMPLETED, EPOCHS)
    assert "its own file of that name is train.own.log" in notices(reported)[0]
    assert task.files.log_file.read_text(encoding="utf-8").startswith("begins\n")
    assert len(task.files.own_log.read_text(encoding="utf-8").splitlines()) == 3
    assert {m.epoch: m.values["val_acc"] for m in recorded_measurements(task.files, task.watch)} == EPOCHS


def test_a_trainer_that_removes_its_folder_and_prints_is_not_stalled(tmp_path: Path) -> None:
    prints = "for _ in range(20): print('working', flush=True); time.sleep(0.1)"

    result, _, _ = run_program(tmp_path, REMOVE, prints, stall_s=1.2)

    assert result.state is TrialState.COMPLETED


def test_nothing_is_said_of_a_trainer_that_leaves_its_folder_alone(tmp_path: Path) -> None:
    result, reported, _ = run_program(tmp_path)

    assert (dict(result.curve), notices(reported)) == (EPOCHS, [])


def test_pipes_folders_and_links_in_the_place_of_its_files_are_set_aside(tmp_path: Path) -> None:
    pipe = "os.remove(here + '/spec.yaml'); os.mkfifo(here + '/spec.yaml')"
    link = "os.remove(here + '/attempt.json'); os.symlink('/dev/zero', here + '/attempt.json')"

    result, reported, task = run_program(tmp_path, f"open(here + '/attempt.json', 'w'); {pipe}; {link}")

    assert result.state is TrialState.COMPLETED
    assert (
        "it removed what automl had written in its folder: a named pipe in the place of spec.yaml is spec.own.yaml"
        " now, a link in the place of attempt.json is attempt.own.json now, spec.yaml was written again"
    ) in notices(reported)
    assert "lr: 0.1" in task.spec_file.read_text(encoding="utf-8")
    assert json.loads(task.files.start_file.read_text(encoding="utf-8"))["token"] == task.start.token


def test_a_file_in_the_place_of_its_folder_is_set_aside(tmp_path: Path) -> None:
    result, reported, task = run_program(tmp_path, epochs=f"{PRINT}\nif n == 2: shutil.rmtree(here); os.mkfifo(here)")

    assert (result.state, dict(result.curve)) == (TrialState.COMPLETED, EPOCHS)
    assert "a named pipe in the place of 0007 is 0007.own now, train.log was put back" in notices(reported)[0]
    assert task.files.log_file.is_file()
