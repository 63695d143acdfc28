"""Failures: each kind is distinguished from the others, and the cause is the sentence a person needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError, LaunchFailure
from automl.launch.base import ExternalEnd
from automl.readers.log_lines import BY_LOG
from automl.study.trial import FailureKind, Measurement
from automl.trial.failures import Failure, classify, classify_launch, divergence_message, read_tail, signature

if TYPE_CHECKING:
    from pathlib import Path

TRACEBACK = ("Traceback (most recent call last):", '  File "train.py", line 3, in <module>', "    main()")


def failure_line(text: str) -> Measurement:
    """Return a failure line of a status file; what stands before a colon, in lower case, is its code."""
    code, separator, message = text.partition(": ")
    if not separator or not code.islower() or " " in code:
        code, message = "", text
    return Measurement(message=message, failure_code=code, is_failure=True)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", FailureKind.OUT_OF_MEMORY),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", FailureKind.OUT_OF_MEMORY),
        ("MemoryError", FailureKind.OUT_OF_MEMORY),
        ("[rank1]: RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED", FailureKind.OUT_OF_MEMORY),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'train.txt'", FailureKind.DATA),
        ("PIL.UnidentifiedImageError: cannot identify image file 'a.png'", FailureKind.DATA),
        ("ValueError: num_samples should be a positive integer value, but got num_samples=0", FailureKind.DATA),
        ("omegaconf.errors.ConfigKeyError: Key 'lrr' not in 'OptimConfig'", FailureKind.SPEC),
        ("RuntimeError: Error(s) in loading state_dict for Model: size mismatch for head", FailureKind.SPEC),
        ("trainer: error: unrecognized arguments: --foo", FailureKind.SPEC),
        ("docker: Unable to find image 'x:1' locally", FailureKind.IMAGE),
        ("huggingface_hub.errors.GatedRepoError: 401 Client Error", FailureKind.CREDENTIAL),
        ("OSError: [Errno 28] No space left on device", FailureKind.INFRASTRUCTURE),
        ("torch.distributed.DistNetworkError: Address already in use", FailureKind.INFRASTRUCTURE),
        ("ncclSystemError: System call failed", FailureKind.INFRASTRUCTURE),
        ("KeyError: 'd1'", FailureKind.TRAINER),
        ("AttributeError: 'NoneType' object has no attribute 'shape'", FailureKind.TRAINER),
    ],
)
def test_the_last_exception_names_the_kind(line: str, kind: FailureKind) -> None:
    failure = classify(1, (*TRACEBACK, line))

    assert failure.kind is kind
    assert failure.cause in line


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("data: annotation file train.txt is missing", FailureKind.DATA),
        ("spec: unknown key model.enkoder", FailureKind.SPEC),
        ("weights: the file is a ViT-L, the spec says vits", FailureKind.SPEC),
        ("trainer: CUDA out of memory", FailureKind.OUT_OF_MEMORY),
        ("trainer: something broke", FailureKind.TRAINER),
        ("infrastructure: File system error: [Errno 2] No such file: 'a.png'", FailureKind.DATA),
        ("infrastructure: File system error: [Errno 28] No space left on device", FailureKind.INFRASTRUCTURE),
        ("interrupted: SIGTERM", FailureKind.INFRASTRUCTURE),
        ("Configuration error: Key 'x' is not in struct", FailureKind.SPEC),
        ("File system error: [Errno 2] No such file", FailureKind.DATA),
    ],
)
def test_the_trainers_own_failure_line_is_believed_first(message: str, kind: FailureKind) -> None:
    assert classify(1, (*TRACEBACK, "RuntimeError: later"), failure_line(message)).kind is kind


def test_a_code_is_not_part_of_the_cause() -> None:
    assert classify(1, (), failure_line("data: no rows")).cause == "no rows"


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (-9, FailureKind.OUT_OF_MEMORY, "SIGKILL"),
        (137, FailureKind.OUT_OF_MEMORY, "SIGKILL"),
        (-7, FailureKind.INFRASTRUCTURE, "shared memory"),
        (-11, FailureKind.TRAINER, "SIGSEGV"),
        (125, FailureKind.INFRASTRUCTURE, "container engine"),
        (127, FailureKind.IMAGE, "not found"),
        (3, FailureKind.TRAINER, "status 3: bye"),
        (-99, FailureKind.TRAINER, "signal 99"),
    ],
)
def test_without_an_exception_the_exit_status_speaks(status: int, kind: FailureKind, words: str) -> None:
    failure = classify(status, ("hello", "bye"))

    assert failure.kind is kind
    assert words in failure.cause


def test_a_lost_node_is_an_infrastructure_failure_whatever_the_log_says() -> None:
    lost = ExternalEnd(reason="its node was lost")

    failure = classify(-9, ("KeyError: 'x'",), external_end=lost)

    assert failure == Failure(kind=FailureKind.INFRASTRUCTURE, cause="its node was lost")


def test_a_container_that_its_engine_ended_for_its_memory_is_out_of_memory() -> None:
    ended = ExternalEnd(reason="more memory than its limit", is_out_of_memory=True)

    assert classify(-9, (), external_end=ended).kind is FailureKind.OUT_OF_MEMORY


def test_a_warning_about_a_missing_file_is_no_root_cause() -> None:
    tail = ("warning: No such file or directory: cache.bin", *TRACEBACK, "KeyError: 'd1'")

    assert classify(1, tail).kind is FailureKind.TRAINER


def test_memory_errors_count_wherever_they_stand_in_the_log() -> None:
    tail = ("CUDA out of memory. Tried to allocate 1 GiB", "shutting down workers", "bye")

    assert classify(1, tail).kind is FailureKind.OUT_OF_MEMORY


def test_a_cause_is_one_short_line() -> None:
    cause = classify(1, ("ValueError: " + "x" * 5000,)).cause

    assert len(cause) <= 300
    assert "\n" not in cause


@pytest.mark.parametrize(
    ("message", "tail", "expected"),
    [
        ("diverged: train_loss is nan at step 12", (), True),
        ("diverged: the model gave up", (), True),
        ("train_loss is nan at step 12", (), True),
        ("", ("ValueError: training loss is nan",), True),
        ("", ("FloatingPointError: loss became inf",), True),
        ("", ("KeyError: 'loss'",), False),
        ("data: no rows", ("loss was finite",), False),
        ("", ("UserWarning: loss finite",), False),
    ],
)
def test_giving_up_over_a_loss_is_distinguished_from_other_failures(
    message: str, tail: tuple[str, ...], *, expected: bool
) -> None:
    reported = failure_line(message) if message else None

    assert (divergence_message(reported, tail) is not None) is expected


def test_two_causes_that_differ_in_numbers_and_paths_have_one_signature() -> None:
    first = signature("KeyError at 0x7f12 in /data/a/1.png after 3.5 s")
    second = signature("KeyError at 0x7e99 in /data/b/22.png after 12 s")

    assert first == second
    assert signature("KeyError: 'a'") != signature("KeyError: 'b'")


def test_the_tail_of_a_log_holds_the_last_state_of_a_progress_bar(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_bytes(b"start\n" + b"10%\r50%\r100%\n" + b"\xff\xfe end")

    assert read_tail(log)[:2] == ("start", "100%")
    assert read_tail(tmp_path / "missing.log") == ()


def test_the_tail_of_a_huge_log_is_short(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("line\n" * 1_000_000, encoding="utf-8")

    assert len(read_tail(log)) == 40


@pytest.mark.parametrize(
    ("failure", "output", "kind"),
    [
        (LaunchFailure.COMMAND, "", FailureKind.SPEC),
        (LaunchFailure.PROGRAM, "", FailureKind.IMAGE),
        (LaunchFailure.IMAGE, "", FailureKind.IMAGE),
        (LaunchFailure.CREDENTIAL, "", FailureKind.CREDENTIAL),
        (LaunchFailure.INFRASTRUCTURE, "No such file or directory: /data", FailureKind.INFRASTRUCTURE),
        (LaunchFailure.ENGINE, "no such device: GPU-1", FailureKind.INFRASTRUCTURE),
        (LaunchFailure.ENGINE, 'exec: "train": executable file not found in $PATH', FailureKind.IMAGE),
        (LaunchFailure.ENGINE, "[FATAL tini (7)] exec train failed: No such file or directory", FailureKind.IMAGE),
        (LaunchFailure.ENGINE, "write /var/lib/docker: No space left on device", FailureKind.INFRASTRUCTURE),
    ],
)
def test_why_a_launch_failed_is_data_and_only_an_engines_output_is_searched(
    failure: LaunchFailure, output: str, kind: FailureKind
) -> None:
    failed = classify_launch(LaunchError("could not start train: CUDA out of memory", failure=failure, output=output))

    assert failed == Failure(kind=kind, cause="could not start train: CUDA out of memory")


TORCHRUN = ["torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ", "=" * 60, "train.py FAILED"]


def test_a_worker_that_torchrun_lost_is_infrastructure_unless_its_own_exception_is_there() -> None:
    assert classify(1, TORCHRUN).kind is FailureKind.INFRASTRUCTURE
    assert classify(1, ["ValueError: a bug", *TORCHRUN]) == Failure(kind=FailureKind.TRAINER, cause="ValueError: a bug")


def test_a_collective_operation_that_timed_out_is_infrastructure() -> None:
    line = "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLREDUCE) ran for 600 s"

    assert classify(-6, [line]).kind is FailureKind.INFRASTRUCTURE


def test_the_exception_of_a_log_says_more_than_its_execution_status() -> None:
    status = Measurement(is_failure=True, message="Execution status: FAIL", failure_code=BY_LOG)

    assert classify(0, ["ValueError: a bug", "Execution status: FAIL"], status).cause == "ValueError: a bug"
    assert classify(0, ["Execution status: FAIL"], status).cause == "Execution status: FAIL"
