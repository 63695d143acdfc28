"""Running one trial: what the trainer does decides the state, and nothing it does is raised."""

from __future__ import annotations

import itertools
import json
import pickle
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.skill.model import ConfigFormat
from automl.storage.documents import write_document
from automl.study.ends import StopCause, StopKind
from automl.study.objectives import Direction, Objective
from automl.study.trial import FailureKind, TrialState
from automl.trial.runner import run_trial
from tests.automl.trial.flat_task import flat_task
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

    from automl.trial.task import TrialTask

from automl.study.trial import Measurement, TrialResult


def task_in(study: Path, **changes: object) -> TrialTask:
    study.mkdir(exist_ok=True)
    fields: dict[str, object] = {
        "number": 7,
        "assignment": {"train.optim.lr": 0.1},
        "study_directory": study,
        "directory": study / "trials" / "0007",
        "template": "trainer -e {config_path}",
        "spec": {"train": {"optim": {"lr": 0.1}}},
        "tag": "demo/0007/1",
        "naming": load_architecture("depth_net_mono").checkpoints,
        "max_epochs": 3,
    }
    return flat_task(**{**fields, **changes})  # type: ignore[arg-type] # by name


def line(at_s: float = 0.0, **fields: object) -> ScriptedWrite:
    return ScriptedWrite(text=json.dumps({"status": "RUNNING", **fields}) + "\n", at_s=at_s, file="train/status.json")


def epoch(number: int, d1: float, *, loss: float = 0.5, at_s: float = 0.0) -> list[ScriptedWrite]:
    return [
        line(at_s, message="Eval metrics generated.", epoch=number, kpi={"val/d1": d1}),
        line(at_s, message="Training loop in progress", epoch=number, max_epoch=2, kpi={"val/d1": d1}),
        line(at_s, message="Train metrics generated.", epoch=number, kpi={"train_loss": loss}),
    ]


def save_checkpoints(task: TrialTask, *epochs: int) -> None:
    folder = task.directory / "train"
    folder.mkdir(parents=True, exist_ok=True)
    for number in epochs:
        with zipfile.ZipFile(folder / f"model_epoch_{number:03d}_step_{number:05d}.pth", "w") as archive:
            archive.writestr("weights", "w" * 100)


def play(
    task: TrialTask, *writes: ScriptedWrite, exit_status: int | None = 0, start_error: str | None = None
) -> tuple[TrialResult, list[Measurement]]:
    ends_at_s = max((write.at_s for write in writes), default=0.0)
    script = Script(writes=writes, exit_status=exit_status, ends_at_s=ends_at_s, start_error=start_error)
    reported: list[Measurement] = []
    result = run_trial(task, ScriptedLauncher(lambda _: script), report=reported.append, stop_requested=lambda: None)
    return result, reported


def test_what_the_log_has_of_earlier_epochs_counts_more_than_a_status_file_that_was_changed(tmp_path: Path) -> None:
    earlier = tmp_path / "trials/0007"
    (earlier / "train").mkdir(parents=True)
    (earlier / "train/status.json").write_text('{"epoch": 0, "kpi": {"val/d1": 0.95}}\n', encoding="utf-8")
    task = task_in(tmp_path, attempt=2, first_epoch=1, earlier=(earlier,), directory=tmp_path / "trials/0007.2")

    result, _ = play(replace(task, measured=(Measurement(epoch=0, values={"val/d1": 0.35}),)), *epoch(1, 0.5))

    assert result.curve == ((0, 0.35), (1, 0.5))


def test_the_time_of_a_trial_is_that_of_all_its_attempts(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path, attempt=2, earlier_s=100.0), *epoch(0, 0.5))

    assert 100.0 < result.elapsed_s < 160.0


def test_a_trial_that_reports_every_epoch_is_completed_with_the_values_of_its_best_epoch(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    save_checkpoints(task, 0, 1, 2)

    result, _ = play(task, *epoch(0, 0.5), *epoch(1, 0.7, loss=0.3), *epoch(2, 0.6))

    assert result.state is TrialState.COMPLETED
    assert result.reason == ""
    assert result.best_epoch == 1
    assert result.values == {"val/d1": 0.7, "train_loss": 0.3}
    assert result.curve == ((0, 0.5), (1, 0.7), (2, 0.6))
    assert result.directory == "trials/0007"
    assert result.exit_status == 0


def test_the_best_epoch_leads_to_its_own_file_not_to_the_latest(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    save_checkpoints(task, 0, 1, 2)
    (task.directory / "train/dn_model_latest.pth").symlink_to("model_epoch_002_step_00002.pth")

    result, _ = play(task, *epoch(0, 0.5), *epoch(1, 0.7), *epoch(2, 0.6))

    assert result.checkpoint == "trials/0007/train/model_epoch_001_step_00001.pth"
    assert result.sha256 is not None


def test_with_a_metric_to_minimise_the_lowest_epoch_is_the_best(tmp_path: Path) -> None:
    task = task_in(tmp_path, objective=Objective(metric="val/loss", direction=Direction.MINIMIZE))

    result, _ = play(
        task,
        line(epoch=0, kpi={"val_loss": 0.9}),
        line(epoch=1, kpi={"val_loss": 0.2}),
        line(epoch=2, kpi={"val_loss": 0.4}),
    )

    assert result.best_epoch == 1
    assert result.values["val/loss"] == 0.2


def test_the_result_names_the_devices_that_the_trial_was_given(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path, gpus=("2", "3")), *epoch(0, 0.5))

    assert result.gpus == ("2", "3")


def test_a_best_epoch_without_a_file_is_said_so(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path), *epoch(0, 0.5), *epoch(1, 0.4), *epoch(2, 0.3))

    assert result.state is TrialState.COMPLETED
    assert result.checkpoint is None
    assert "epoch 0" in result.reason


@pytest.mark.parametrize(
    "kpi",
    [{"train_loss": "NaN"}, {"train_loss_epoch": "inf"}, {"val/d1": "nan"}, {"val_d1": "-Infinity"}],
)
def test_the_first_nonfinite_loss_or_objective_makes_the_trial_diverged(tmp_path: Path, kpi: dict[str, str]) -> None:
    result, reported = play(task_in(tmp_path), *epoch(0, 0.5), line(epoch=1, kpi=kpi), exit_status=None)

    assert result.state is TrialState.DIVERGED
    assert result.values == {}
    assert result.checkpoint is None
    assert next(iter(kpi)).split("/")[0].split("_")[0] in result.reason
    assert reported[-1].nonfinite


def test_a_nan_validation_loss_is_no_divergence_while_the_objective_is_finite(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path), line(epoch=0, kpi={"val/loss": "NaN", "val/d1": 0.5, "train_loss": 0.4}))

    assert result.state is TrialState.COMPLETED


def test_a_trainer_that_exits_with_0_after_a_nan_has_diverged(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path), *epoch(0, 0.9), line(epoch=1, kpi={"train_loss": "NaN"}), exit_status=0)

    assert result.state is TrialState.DIVERGED


def test_a_trainer_that_gives_up_over_its_loss_has_diverged_even_without_a_metric(tmp_path: Path) -> None:
    failure = line(status="FAILURE", code="diverged", message="the training loss is nan at step 3")

    result, _ = play(task_in(tmp_path), failure, exit_status=1)

    assert result.state is TrialState.DIVERGED


def test_an_exploding_training_loss_is_a_divergence_unless_it_is_switched_off(tmp_path: Path) -> None:
    writes = [line(epoch=0, kpi={"train_loss": 0.5, "val/d1": 0.1}), line(epoch=1, kpi={"train_loss": 1e7})]

    watched, _ = play(task_in(tmp_path / "a"), *writes)
    unwatched, _ = play(task_in(tmp_path / "b", explosion=False), *writes)

    assert watched.state is TrialState.DIVERGED
    assert unwatched.state is TrialState.COMPLETED


def test_a_progress_bar_that_shows_nan_ends_the_trial_before_the_epoch_does(tmp_path: Path) -> None:
    bar = ScriptedWrite(text="Epoch 0: 10% | train_loss_step=nan.0\n")

    result, _ = play(task_in(tmp_path), line(message="Starting"), bar, exit_status=None)

    assert result.state is TrialState.DIVERGED


def test_an_exit_status_of_0_without_the_metric_is_a_failure_that_names_what_was_reported(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path), line(epoch=0, kpi={"val/dl": 0.5, "train_loss": 0.1}))

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.METRIC_MISSING)
    assert "did you mean val/dl" in result.reason


def test_a_crash_is_a_failure_with_its_cause_even_after_good_values(tmp_path: Path) -> None:
    crash = ScriptedWrite(text="Traceback (most recent call last):\ntorch.OutOfMemoryError: CUDA out of memory\n")

    result, _ = play(task_in(tmp_path), *epoch(0, 0.9), crash, exit_status=1)

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.OUT_OF_MEMORY)
    assert result.values == {}
    assert result.log_tail[-1].startswith("torch.OutOfMemoryError")


def test_a_failure_line_in_the_middle_of_a_good_run_proves_nothing(tmp_path: Path) -> None:
    complaint = line(status="FAILURE", message="a logger lost its connection")

    result, _ = play(task_in(tmp_path), *epoch(0, 0.9), complaint, *epoch(1, 0.8), *epoch(2, 0.7))

    assert result.state is TrialState.COMPLETED


def test_a_failure_line_at_the_end_of_a_short_run_is_a_failure_whatever_the_exit_status(tmp_path: Path) -> None:
    complaint = line(status="FAILURE", message="File system error: train.txt")

    result, _ = play(task_in(tmp_path), *epoch(0, 0.9), complaint, exit_status=0)

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.DATA)


def test_a_trainer_that_stops_early_by_itself_is_completed_and_says_after_which_epoch(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    save_checkpoints(task, 0)

    result, _ = play(task, *epoch(0, 0.9))

    assert result.state is TrialState.COMPLETED
    assert "epoch 1 of 3" in result.reason


def test_a_launch_that_fails_is_a_result(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path), start_error="No such file or directory: 'trainer'")

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.IMAGE)
    assert "trainer" in result.reason


def test_a_command_without_the_place_of_its_spec_is_a_failed_spec(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path, template="trainer train"))

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.SPEC)


def test_a_directory_that_cannot_be_made_is_an_infrastructure_failure(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("in the way", encoding="utf-8")

    result, _ = play(task_in(tmp_path))

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.INFRASTRUCTURE)


@pytest.mark.parametrize(
    ("cause", "state"),
    [
        (StopCause(kind=StopKind.SCHEDULER, detail="rung 1: 0.5 is below the best third"), TrialState.STOPPED),
        (StopCause(kind=StopKind.INTERRUPTED), TrialState.INTERRUPTED),
    ],
)
def test_a_request_to_stop_is_obeyed_after_the_report_that_caused_it(
    tmp_path: Path, cause: StopCause, state: TrialState
) -> None:
    task = task_in(tmp_path)
    save_checkpoints(task, 0, 1)
    seen: list[Measurement] = []
    script = Script(writes=(*epoch(0, 0.5), *epoch(1, 0.6), *epoch(2, 0.9)), exit_status=None)

    result = run_trial(
        task,
        ScriptedLauncher(lambda _: script),
        report=seen.append,
        stop_requested=lambda: cause if any(m.values.get("val/d1") == 0.6 for m in seen) else None,
    )

    assert result.state is state
    assert result.reason.startswith(str(cause))
    assert result.cause == cause
    assert result.curve == ((0, 0.5), (1, 0.6))
    assert not any(m.values.get("val/d1") == 0.9 for m in seen)


def test_a_stopped_trial_may_finish_the_checkpoint_of_its_best_epoch(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    late = ScriptedWrite(text="weights", at_s=0.3, file="train/model_epoch_000_step_00001.pth")
    script = Script(writes=(*epoch(0, 0.5), late), exit_status=None)
    seen: list[Measurement] = []

    result = run_trial(
        task,
        ScriptedLauncher(lambda _: script),
        report=seen.append,
        stop_requested=lambda: StopCause(kind=StopKind.USER) if seen else None,
    )

    assert result.checkpoint == "trials/0007/train/model_epoch_000_step_00001.pth"


def test_a_trial_that_runs_too_long_is_a_timeout(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path, trial_s=0.2), *epoch(0, 0.5), exit_status=None)

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.TIMEOUT)


def test_a_trial_that_hangs_without_output_is_a_timeout(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path, stall_s=0.3), *epoch(0, 0.5), exit_status=None)

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.TIMEOUT)
    assert "wrote nothing" in result.reason


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0])
def test_a_clock_that_jumps_by_a_day_ends_no_trial_and_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    real, calls = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + (jump_s if next(calls) % 2 else 0.0))
    task = task_in(tmp_path, trial_s=60.0, stall_s=60.0)

    result, reported = play(task, *(entry for number in range(3) for entry in epoch(number, 0.5, at_s=0.1 * number)))

    assert (result.state, result.epochs) == (TrialState.COMPLETED, 3)
    assert result.elapsed_s < 60.0
    assert max(abs(m.unix_time_s - real()) for m in reported) < 60.0


def test_the_objective_is_reported_under_the_name_that_was_asked_for(tmp_path: Path) -> None:
    _, reported = play(task_in(tmp_path), line(epoch=0, kpi={"val_d1": 0.5}))

    assert reported[-1].values["val/d1"] == 0.5


def test_each_value_is_reported_once_though_the_trainer_repeats_it(tmp_path: Path) -> None:
    _, reported = play(task_in(tmp_path), *epoch(0, 0.5), *epoch(1, 0.5))

    assert [(m.epoch, m.values["val/d1"]) for m in reported if "val/d1" in m.values] == [(0, 0.5), (1, 0.5)]


def test_the_log_is_used_where_no_status_file_reports_the_objective(tmp_path: Path) -> None:
    log = ScriptedWrite(text="Epoch 1/3\nval_d1: 0.5\nEpoch 2/3\nval_d1: 0.7\n")

    with_status, _ = play(task_in(tmp_path / "a"), line(message="Starting"), log)
    without, _ = play(task_in(tmp_path / "b"), log)

    assert with_status.curve == without.curve == ((0, 0.5), (1, 0.7))


def test_the_log_is_not_used_where_a_status_file_reports_the_objective(tmp_path: Path) -> None:
    result, _ = play(task_in(tmp_path), *epoch(0, 0.5), ScriptedWrite(text="Epoch 1: val/d1=0.9\n"))

    assert result.curve == ((0, 0.5),)


def test_a_metric_file_is_read_where_the_skill_names_one(tmp_path: Path) -> None:
    file = ScriptedWrite(text=json.dumps({"metrics": {"x": 1}, "val/d1": 0.75}), file="metrics.json")

    result, _ = play(task_in(tmp_path, metric_file="metrics.json"), file)

    assert result.state is TrialState.COMPLETED
    assert result.values["val/d1"] == 0.75


@pytest.mark.parametrize("config_format", list(ConfigFormat))
def test_the_spec_is_written_in_the_format_of_the_skill_and_its_path_is_the_argument(
    tmp_path: Path, config_format: ConfigFormat
) -> None:
    task = task_in(tmp_path, config_format=config_format)
    launcher = ScriptedLauncher(lambda _: Script())

    run_trial(task, launcher, report=lambda _: None, stop_requested=lambda: None)

    spec = task.directory / f"spec.{config_format}"
    assert "0.1" in spec.read_text(encoding="utf-8")
    assert launcher.requests[0].command == ("trainer", "-e", str(spec))
    assert launcher.requests[0].environment["CUDA_VISIBLE_DEVICES"] == ""


def test_task_and_result_can_be_sent_to_another_process(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    result, reported = play(task, *epoch(0, 0.5))

    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 # our own bytes
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 # our own bytes
    assert pickle.loads(pickle.dumps(reported)) == reported  # noqa: S301 # our own bytes


def test_a_folder_that_was_replaced_by_a_link_is_neither_read_nor_written(tmp_path: Path) -> None:
    task = task_in(tmp_path / "own")
    other = tmp_path / "other" / "trials"
    (other / "0007" / "train").mkdir(parents=True)
    (other / "0007" / "train.log").write_text("a secret of another study", encoding="utf-8")
    (other / "0007" / "train" / "status.json").write_text('{"epoch": 0, "kpi": {"val/d1": 0.9}}\n', encoding="utf-8")
    before = {file: file.read_bytes() for file in other.rglob("*") if file.is_file()}
    script = Script(writes=tuple(epoch(0, 0.5)), exit_status=None, ends_at_s=60.0)

    def replace_trials(_: Measurement) -> None:
        trials = task.study_directory / "trials"
        if not trials.is_symlink():
            trials.rename(trials.with_name("aside"))
            trials.symlink_to(other)

    result = run_trial(task, ScriptedLauncher(lambda _: script), report=replace_trials, stop_requested=lambda: None)

    assert result.state is TrialState.FAILED
    assert result.failure is FailureKind.INFRASTRUCTURE
    assert result.reason == f"while it ran, {tmp_path}/own/trials is a link to {other} now"
    assert (result.log_tail, result.curve) == ((), ((0, 0.5),))
    assert {file: file.read_bytes() for file in other.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("moment", ["before it starts", "while it runs"])
def test_the_folder_of_another_attempt_is_neither_read_nor_written(tmp_path: Path, moment: str) -> None:
    task = task_in(tmp_path / "own")
    task = replace(task, start=replace(task.start, token="own"))  # noqa: S106 # none that protects anything
    other = tmp_path / "other" / "0007"
    (other / "train").mkdir(parents=True)
    (other / "train.log").write_text("a secret of another study", encoding="utf-8")
    write_document(other / "attempt.json", {"attempt": 1, "token": "other"}, dict[str, object])
    before = {file.name: file.read_bytes() for file in other.rglob("*") if file.is_file()}

    def put(*_: Measurement) -> None:
        if other.exists():
            task.directory.mkdir(parents=True, exist_ok=True)
            task.directory.rename(tmp_path / "aside")
            other.rename(task.directory)

    if moment == "before it starts":
        put()
    script = Script(writes=tuple(epoch(0, 0.5)), exit_status=1, ends_at_s=0.5)
    result = run_trial(
        task,
        ScriptedLauncher(lambda _: script),
        report=put if moment == "while it runs" else lambda _: None,
        stop_requested=lambda: None,
    )

    assert result.failure is FailureKind.INFRASTRUCTURE
    assert "trials/0007 is the folder of another attempt now" in result.reason
    assert (result.checkpoint, result.log_tail) == (None, ())
    found = {file.name: file.read_bytes() for file in task.directory.rglob("*") if file.is_file()}
    assert {name: found.get(name) for name in before} == before
