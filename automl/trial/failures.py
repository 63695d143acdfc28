"""Classify failures: the kind of failure, which decides about a retry, and its cause in one sentence.

Evidence, in order of reliability: the trainer's own failure line, the last exception in its log, the last lines of its
log. The patterns are data, tried in order; the first that matches names the kind. For a new message, add a pattern.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import LaunchFailure
from automl.readers.log_lines import BY_LOG
from automl.storage.trainer_files import open_made
from automl.study.trial import FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.errors import LaunchError
    from automl.launch.base import ExternalEnd
    from automl.study.trial import Measurement

DIVERGED_CODE = "diverged"
"""The code of a failure line that says that training has diverged."""
_TAIL_LINES = 40
_TAIL_BYTES = 64 * 1024
_LONGEST_CAUSE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a trainer failed: the kind, and one sentence, which is the trainer's own message where there is one."""

    kind: FailureKind
    cause: str


_CODES = {
    "data": FailureKind.DATA,
    "spec": FailureKind.SPEC,
    "weights": FailureKind.SPEC,
    "out_of_memory": FailureKind.OUT_OF_MEMORY,
    "trainer": FailureKind.TRAINER,
    "infrastructure": FailureKind.INFRASTRUCTURE,
    "interrupted": FailureKind.INFRASTRUCTURE,
}
"""Machine-readable codes of our own trainers' failure lines."""
_AFTER_LAUNCH = {
    LaunchFailure.COMMAND: FailureKind.SPEC,
    LaunchFailure.PROGRAM: FailureKind.IMAGE,
    LaunchFailure.IMAGE: FailureKind.IMAGE,
    LaunchFailure.CREDENTIAL: FailureKind.CREDENTIAL,
    LaunchFailure.ENGINE: FailureKind.INFRASTRUCTURE,
    LaunchFailure.INFRASTRUCTURE: FailureKind.INFRASTRUCTURE,
}
_GENERAL = {FailureKind.TRAINER, FailureKind.INFRASTRUCTURE}

_MEMORY = (
    r"out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|can't allocate memory"
    r"|Cannot allocate memory|std::bad_alloc|\bMemoryError\b|oom-kill|Unable to allocate [\d.]+ [KMGT]iB"
)
_IMAGE = (
    r"Unable to find image|pull access denied|manifest unknown|manifest for .* not found|invalid reference format"
    r"|no matching manifest|exec format error|executable file not found"
)
_CREDENTIAL = (
    r"401 Client Error|403 Client Error|\b401 Unauthorized|\b403 Forbidden|authentication required|Invalid API key"
    r"|GatedRepoError|gated repo|no basic auth credentials|(?:HF_TOKEN|NGC_API_KEY|NGC_KEY)\b.*(?:not set|missing)"
)
_INFRASTRUCTURE = (
    r"No space left on device|Disk quota exceeded|Read-only file system|Stale file handle|Input/output error"
    r"|Address already in use|Connection refused|Connection reset|Cannot connect to the Docker daemon"
    r"|NCCL (?:error|WARN|watchdog)|ncclSystemError|ncclRemoteError|ncclInternalError|RendezvousTimeoutError"
    r"|Watchdog caught collective operation timeout|collective operation timeout: WorkNCCL"
    r"|DistNetworkError|DistStoreError|uncorrectable ECC|NVRM: Xid|no CUDA-capable device|CUDA driver"
    r"|CUDA initialization|device is lost|all CUDA-capable devices are busy|insufficient shared memory"
    r"|unable to open shared memory|Too many open files|Resource temporarily unavailable"
)
_SPEC = (
    r"^Configuration error|^Parameter validation error|^Schema validation error|^Feature not implemented"
    r"|ConfigKeyError|ConfigAttributeError|MissingMandatoryValue|ValidationError|ConfigTypeError|ConfigCompositionException"
    r"|unrecognized arguments|the following arguments are required|invalid choice"
    r"|Error\(s\) in loading state_dict|size mismatch for|MisconfigurationException"
    r"|mat1 and mat2 shapes cannot be multiplied|must be divisible by"
)
_DATA = (
    r"^File system error|FileNotFoundError|No such file or directory|NotADirectoryError|IsADirectoryError"
    r"|UnidentifiedImageError|cannot identify image file|image file is truncated|num_samples should be a positive"
    r"|dataset (?:is|was) empty|empty dataset|DataError|JSONDecodeError|ParserError|device-side assert"
    r"|DataLoader worker .* exited unexpectedly"
)

# The order matters: a message about memory inside a data loader is about memory.
_RULES = (
    (FailureKind.OUT_OF_MEMORY, re.compile(_MEMORY, re.IGNORECASE)),
    (FailureKind.IMAGE, re.compile(_IMAGE, re.IGNORECASE)),
    (FailureKind.CREDENTIAL, re.compile(_CREDENTIAL, re.IGNORECASE)),
    (FailureKind.INFRASTRUCTURE, re.compile(_INFRASTRUCTURE, re.IGNORECASE)),
    (FailureKind.SPEC, re.compile(_SPEC)),
    (FailureKind.DATA, re.compile(_DATA)),
)
# The other patterns prove nothing in the middle of a log: a missing file may be a warning, an error was handled.
_PROOF_ANYWHERE = {FailureKind.OUT_OF_MEMORY, FailureKind.IMAGE, FailureKind.CREDENTIAL, FailureKind.INFRASTRUCTURE}

_RANK = re.compile(r"^(?:\[(?:rank)?\d+\]:?|\(\w+ pid=\d+\))\s*")
_EXCEPTION = re.compile(
    r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Failure|Warning|Invalid\w*)\b(?:: .*)?$"
)
_USAGE = re.compile(r"^\S.*?: error: .+|^Error: .+|^error: .+")
_DIVERGED = re.compile(
    r"^diverged\b|(?:\b|_)(?:loss|objective|gradient)\w*\b.{0,40}\b(?:is|are|became|was|not)\b.{0,12}\b(?:nan|inf|infinite|finite)\b"
    r"|\bnon-?finite\b.{0,30}\bloss|\bnan loss\b|\bloss (?:nan|diverged)",
    re.IGNORECASE,
)
_CHILD_FAILED = "ChildFailedError"
"""What PyTorch's launcher reports of a worker; the worker's own exception, where there is one, says more."""
_KILLED = "killed from outside (SIGKILL): most often the machine ran out of memory"
_BUS_ERROR = "bus error (SIGBUS): most often shared memory, /dev/shm, is too small"
_BY_STATUS = {
    125: (FailureKind.INFRASTRUCTURE, "the container engine could not run the container (status 125)"),
    126: (FailureKind.IMAGE, "the program of the skill is not executable (status 126)"),
    127: (FailureKind.IMAGE, "the program of the skill was not found (status 127)"),
    -signal.SIGKILL: (FailureKind.OUT_OF_MEMORY, _KILLED),
    -signal.SIGBUS: (FailureKind.INFRASTRUCTURE, _BUS_ERROR),
    -signal.SIGTERM: (FailureKind.INFRASTRUCTURE, "ended from outside (SIGTERM)"),
    -signal.SIGHUP: (FailureKind.INFRASTRUCTURE, "ended from outside (SIGHUP)"),
}
"""What a status proves where no message does; negative for a signal."""


def classify(
    exit_status: int,
    log_tail: Sequence[str],
    failure_line: Measurement | None = None,
    *,
    external_end: ExternalEnd | None = None,
) -> Failure:
    """Return why a trainer failed.

    Args:
        exit_status: Of the trainer; negative for a signal.
        log_tail: The last lines of its log.
        failure_line: Its own last failure line; None when it wrote none.
        external_end: What else has ended it (see `automl.launch.base.Job`).
    """
    if external_end is not None:
        seen = FailureKind.OUT_OF_MEMORY if external_end.is_out_of_memory else FailureKind.INFRASTRUCTURE
        return _failure(seen, external_end.reason)
    lines = _lines(log_tail)
    exception = _last_exception(lines)
    reported, message = None, ""
    if failure_line is not None:
        reported, message = _kind_of_line(failure_line), failure_line.message or failure_line.failure_code
        message = exception or message if failure_line.failure_code == BY_LOG else message
    for kind, cause in ((reported, message), (_by_rule(exception), exception)):
        if kind is not None:
            return _failure(kind, cause)
    for line in reversed(lines):
        if (kind := _by_rule(line)) in _PROOF_ANYWHERE and kind is not None:
            return _failure(kind, line)
    if not (message or exception) and any(_CHILD_FAILED in line for line in lines):
        return _failure(FailureKind.INFRASTRUCTURE, f"a worker process was lost ({_CHILD_FAILED})")
    return _without_pattern(exit_status, lines, message or exception)


def classify_launch(error: LaunchError) -> Failure:
    """Return why a trainer could not be started; where a container engine refused, its output decides."""
    kind = _AFTER_LAUNCH[error.failure]
    if error.failure is LaunchFailure.ENGINE:
        refusal = _by_rule(error.output) or kind
        # What the engine does not find is the program in the image, not the data.
        kind = FailureKind.IMAGE if refusal is FailureKind.DATA else refusal
    return _failure(kind, error.headline)


def divergence_message(failure_line: Measurement | None, log_tail: Sequence[str]) -> str | None:
    """Return the trainer's message if it stopped because a loss was not finite, else None."""
    if failure_line is not None and failure_line.failure_code == DIVERGED_CODE:
        return _shortened(failure_line.message or DIVERGED_CODE)
    reported = failure_line.message if failure_line is not None else ""
    found = (message for message in (reported, _last_exception(_lines(log_tail))) if _DIVERGED.search(message))
    return next(map(_shortened, found), None)


def _lines(log_tail: Sequence[str]) -> list[str]:
    return [_RANK.sub("", line).strip() for line in log_tail]


def _last_exception(lines: list[str]) -> str:
    """Return the last line that names an exception or a usage error; empty when there is none."""
    return next((line for line in reversed(lines) if _EXCEPTION.match(line) or _USAGE.match(line)), "")


def signature(cause: str) -> str:
    """Return a cause without what differs between trials: numbers, addresses, paths."""
    text = re.sub(r"0x[0-9a-fA-F]+|(?:/[\w.\-+=]+)+", "*", cause)
    return re.sub(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", "#", text)


def read_tail(log: Path) -> tuple[str, ...]:
    """Return the last lines of a log, progress bars resolved to their last state; empty when there is no log."""
    try:
        with open_made(log.parent, log) as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ()
    resolved = [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip()[:2000] for line in text.split("\n")]
    return tuple([line for line in resolved if line][-_TAIL_LINES:])


def _kind_of_line(failure_line: Measurement) -> FailureKind | None:
    known = _CODES.get(failure_line.failure_code)
    # A general code is less precise than its message: `trainer` with "CUDA out of memory".
    return known if known is not None and known not in _GENERAL else _by_rule(failure_line.message) or known


def _by_rule(message: str) -> FailureKind | None:
    return next((kind for kind, pattern in _RULES if pattern.search(message)), None)


def _without_pattern(exit_status: int, lines: list[str], message: str) -> Failure:
    if exit_status > 128:  # noqa: PLR2004 # a shell reports a signal as 128 + its number
        exit_status = 128 - exit_status
    if message:
        return _failure(FailureKind.TRAINER, message)
    if exit_status in _BY_STATUS:
        return _failure(*_BY_STATUS[exit_status])
    last = f": {lines[-1]}" if lines else ""
    if exit_status >= 0:
        return _failure(FailureKind.TRAINER, f"ended with status {exit_status}{last}")
    known = {member.value: member.name for member in signal.Signals}
    name = known.get(-exit_status, f"signal {-exit_status}")
    return _failure(FailureKind.TRAINER, f"ended by {name}{last}")


def _failure(kind: FailureKind, cause: str) -> Failure:
    return Failure(kind=kind, cause=_shortened(cause))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_CAUSE else line[: _LONGEST_CAUSE - 3] + "..."
