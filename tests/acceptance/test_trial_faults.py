"""One trial with real processes: every fault ends in the right state, and nothing stays alive."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.architectures.load import load_architecture
from automl.launch.local import LocalLauncher
from automl.study.ends import StopCause, StopKind
from automl.study.trial import FailureKind, TrialResult, TrialState
from automl.trial.attempts import find_continuation
from automl.trial.runner import run_trial
from tests.acceptance.scripted_skill import scripted_command, scripted_spec
from tests.automl.trial.flat_task import flat_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.study.trial import Measurement

pytestmark = pytest.mark.acceptance

Fault = dict[str, Any]


def never() -> StopCause | None:
    return None


def ignore(measurement: Measurement) -> None:
    del measurement


def play(
    study: Path,
    *faults: Fault,
    report: Callable[[Measurement], None] = ignore,
    stop_requested: Callable[[], StopCause | None] = never,
    script: dict[str, Any] | None = None,
    **changes: Any,  # noqa: ANN401 # fields of the task, by name
) -> TrialResult:
    directory = study / "trials" / "0000"
    fields: dict[str, Any] = {
        "number": 0,
        "assignment": {"train.optim.lr": 0.01},
        "study_directory": study,
        "directory": directory,
        "template": scripted_command(),
        "spec": scripted_spec(directory, script={**(script or {}), "faults": list(faults)}),
        "tag": f"faults-{study.name}/0000/1",
        "naming": load_architecture("scripted").checkpoints,
        "max_epochs": 3,
    }
    launcher = LocalLauncher()
    try:
        return run_trial(flat_task(**{**fields, **changes}), launcher, report=report, stop_requested=stop_requested)
    finally:
        launcher.close()


def living(study: Path) -> list[int]:
    """Return the processes of the trial that still run."""
    pids = [int(line) for file in study.rglob("pids.txt") for line in file.read_text(encoding="utf-8").split()]
    assert pids, "the trainer never started"
    return [pid for pid in pids if state_of(pid) not in {"", "Z", "X"}]


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def seconds_since_fault(study: Path, kind: str) -> float:
    return time.monotonic() - float((study / f"trials/0000/fault_{kind}.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("dialect", ["ours", "public", "text", "log", "metric_file"])
def test_every_dialect_ends_with_the_best_epoch_and_its_exact_file(tmp_path: Path, dialect: str) -> None:
    values = [0.3, 0.6, 0.5] if dialect != "metric_file" else [0.3, 0.4, 0.6]

    result = play(tmp_path, script={"dialect": dialect, "values": values}, metric_file="metrics.json")

    assert (result.state, result.reason) == (TrialState.COMPLETED, "")
    assert result.values["val/d1"] == 0.6
    best = values.index(0.6)
    assert result.checkpoint == f"trials/0000/model_epoch_00{best}_step_000{10 * (best + 1)}.pth"
    assert result.sha256 is not None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "nan", "epoch": 1},
        {"kind": "nan", "epoch": 0, "metric": "val/d1", "word": "-Infinity"},
        {"kind": "nan", "epoch": 1, "in_log": True},
        {"kind": "explode", "epoch": 1},
    ],
    ids=["loss", "objective", "progress bar", "explosion"],
)
def test_a_diverged_trial_is_dead_at_once(tmp_path: Path, fault: Fault) -> None:
    result = play(tmp_path, {"kind": "ignore_sigterm"}, {"kind": "grandchildren"}, fault)
    dead_s = seconds_since_fault(tmp_path, fault["kind"])

    assert result.state is TrialState.DIVERGED
    assert living(tmp_path) == []
    assert dead_s < 5.0  # 0.1 s on a quiet machine


@pytest.mark.parametrize("dialect", ["ours", "public", "text"])
def test_a_nan_is_seen_in_every_dialect_even_when_the_trainer_exits_with_0(tmp_path: Path, dialect: str) -> None:
    result = play(tmp_path, {"kind": "nan", "epoch": 2, "for_s": 0.0}, script={"dialect": dialect})

    assert result.state is TrialState.DIVERGED
    assert "train_loss" in result.reason
    assert result.values == {}


def test_a_stopped_trial_leaves_no_process_though_it_ignores_signals_and_hides_its_children(tmp_path: Path) -> None:
    seen: list[Measurement] = []

    result = play(
        tmp_path,
        {"kind": "ignore_sigterm"},
        {"kind": "grandchildren"},
        {"kind": "hang", "epoch": 2},
        report=seen.append,
        stop_requested=lambda: (
            StopCause(kind=StopKind.SCHEDULER, detail="rung 1") if any(m.epoch == 1 for m in seen) else None
        ),
        grace_s=0.2,
    )

    assert result.state is TrialState.STOPPED
    assert living(tmp_path) == []


def test_a_completed_trial_leaves_no_process_behind(tmp_path: Path) -> None:
    result = play(tmp_path, {"kind": "grandchildren"})

    assert result.state is TrialState.COMPLETED
    assert living(tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "state", "failure"),
    [
        ({"kind": "exit", "text": "torch.OutOfMemoryError: CUDA out of memory."}, "FAILED", "out_of_memory"),
        ({"kind": "exit", "text": "FileNotFoundError: train.txt"}, "FAILED", "data"),
        ({"kind": "exit", "text": "KeyError: 'depth'", "epoch": 1}, "FAILED", "trainer"),
        ({"kind": "exit", "status": 0}, "FAILED", "metric_missing"),
        ({"kind": "signal", "epoch": 1}, "FAILED", "trainer"),
        ({"kind": "signal", "number": 9}, "FAILED", "out_of_memory"),
        ({"kind": "metric_missing"}, "FAILED", "metric_missing"),
        ({"kind": "failure_line", "epoch": 1}, "COMPLETED", None),
        ({"kind": "huge_log"}, "COMPLETED", None),
        ({"kind": "partial_lines"}, "COMPLETED", None),
        ({"kind": "half_line", "epoch": 1}, "COMPLETED", None),
        ({"kind": "replace_status", "epoch": 2}, "COMPLETED", None),
        ({"kind": "clock_jump", "epoch": 1}, "COMPLETED", None),
        ({"kind": "flood", "epoch": 1, "lines": 20_000}, "COMPLETED", None),
        ({"kind": "bad_names"}, "COMPLETED", None),
        ({"kind": "pipe", "epoch": 1}, "COMPLETED", None),
        ({"kind": "pipe", "name": "more/status.json"}, "COMPLETED", None),
        ({"kind": "pipe", "name": "metrics.json"}, "COMPLETED", None),
    ],
    ids=lambda value: str(value.get("text", value["kind"])).split(":")[0] if isinstance(value, dict) else "",
)
def test_a_fault_ends_in_the_right_state(tmp_path: Path, fault: Fault, state: str, failure: str | None) -> None:
    # What a replaced file said is only known if it was read before: an epoch is longer than a poll.
    result = play(tmp_path, fault, script={"epoch_s": 0.2 if fault["kind"] == "replace_status" else 0.02})

    assert (result.state, result.failure) == (TrialState(state), FailureKind(failure) if failure else None)
    assert living(tmp_path) == []
    if state == "COMPLETED":
        assert [epoch for epoch, _ in result.curve] == [0, 1, 2]


@pytest.mark.parametrize("limit", [{"stall_s": 1.0}, {"trial_s": 2.0}])
def test_a_trial_that_hangs_is_ended_by_either_limit(tmp_path: Path, limit: dict[str, Any]) -> None:
    result = play(tmp_path, {"kind": "hang", "epoch": 1}, **limit)

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.TIMEOUT)
    assert living(tmp_path) == []


def test_a_torn_checkpoint_is_never_handed_on(tmp_path: Path) -> None:
    result = play(tmp_path, {"kind": "truncated_checkpoint", "epoch": 1}, script={"values": [0.1, 0.2, 0.3]})

    assert result.state is TrialState.COMPLETED
    assert result.checkpoint is None
    assert "left no checkpoint" in result.reason


def test_a_program_that_does_not_exist_is_a_failed_trial(tmp_path: Path) -> None:
    result = play(tmp_path, template="no-such-trainer-anywhere -e {config_path}")

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.IMAGE)


def test_a_trial_that_was_cut_off_goes_on_from_its_last_checkpoint_with_its_earlier_epochs(tmp_path: Path) -> None:
    values = {"values": [0.9, 0.2, 0.3, 0.4]}
    seen: list[Measurement] = []
    cut_off = play(
        tmp_path,
        {"kind": "hang", "epoch": 2},
        script=values,
        report=seen.append,
        stop_requested=lambda: (
            StopCause(kind=StopKind.INTERRUPTED)
            if any(m.epoch == 1 and "train_loss" in m.values for m in seen)
            else None
        ),
    )
    first = tmp_path / "trials/0000"
    naming = load_architecture("scripted").checkpoints
    watch = flat_task(study_directory=tmp_path, directory=first, naming=naming).watch
    found = find_continuation([first], watch)
    assert found is not None

    second = tmp_path / "trials/0000.2"
    spec = scripted_spec(second, num_epochs=4, script=values)
    spec["train"]["resume_training_checkpoint_path"] = str(found.checkpoint)
    again: list[Measurement] = []
    result = play(
        tmp_path,
        report=again.append,
        directory=second,
        spec=spec,
        attempt=2,
        earlier=(first,),
        first_epoch=found.first_epoch,
        max_epochs=4,
    )

    assert cut_off.state is TrialState.INTERRUPTED
    assert result.state is TrialState.COMPLETED
    assert result.curve == ((0, 0.9), (1, 0.2), (2, 0.3), (3, 0.4))
    assert result.checkpoint == "trials/0000/model_epoch_000_step_00010.pth"
    assert {m.epoch for m in again if m.values} == {2, 3}


@pytest.mark.parametrize(
    "name", ["model_epoch_002_step_99999.pth", "more/status.json", "metrics.json", "train.log", "panels/epoch_002.png"]
)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_no_file_of_the_trial_is_named_and_holds_nothing_up(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "secret").write_text('{"val/d1": 7.0}\n', encoding="utf-8")
    seen: list[Measurement] = []
    fault = {"kind": kind, "name": name, "target": str(tmp_path / "secret"), "epoch": 2}
    failing = [{"kind": "exit", "epoch": 2}] if name == "train.log" else []
    started_s = time.monotonic()

    result = play(tmp_path, fault, *failing, report=seen.append, metric_file="metrics.json")

    assert time.monotonic() - started_s < 30.0
    found = "a named pipe" if kind == "pipe" else "a link to a file outside the folder of its trial"
    is_link_of_checkpoint = kind == "link" and name.endswith(".pth")  # as those called latest: never a checkpoint
    expected = [] if is_link_of_checkpoint else [f"0000/{name} was not read: it is {found}"]
    if name == "train.log":
        own = "train.log was put back, its own file of that name is train.own.log"
        expected.append(f"it removed what automl had written in its folder: {own}")
    assert sorted(m.notice for m in seen if m.notice) == sorted(expected)  # which comes first depends on the last poll
    assert all(value < 1.0 for m in seen for value in m.values.values())
    assert result.log_tail == () if failing else result.state is TrialState.COMPLETED


def test_a_flood_of_lines_does_not_outlast_the_limit_of_a_trial(tmp_path: Path) -> None:
    seen: list[Measurement] = []
    started_s = time.monotonic()

    result = play(tmp_path, {"kind": "flood", "lines": 400_000}, {"kind": "hang"}, report=seen.append, trial_s=4.0)

    assert (result.state, result.failure) == (TrialState.FAILED, FailureKind.TIMEOUT)
    elapsed_s = time.monotonic() - started_s
    assert elapsed_s < 60.0
    assert len(seen) < 50 * (elapsed_s + 2)
    assert sum("more than 50 times a second" in m.notice for m in seen) == 1
