"""Run one action from its spec: results folder, ``experiment.yaml``, first and last status line, errors, exit status.

Every error ends here: one FAILURE line with a machine-readable code, one message, exit status 1; a run that was asked
to stop ends with 130 (Ctrl-C) or 143 (SIGTERM, at any time). Heavy libraries are imported only after the spec has been
checked. Of several processes the first one reports; another one does so only for an error that it alone has.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from depth_net.config.checks import absent_weights, spec_notices
from depth_net.config.tree import to_yaml
from depth_net.errors import DataError, DepthNetError, DivergenceError, SpecError, TerminatedError, WeightsError
from depth_net.gpu_driver import open_context, start_driver
from depth_net.model.family import ModelType
from depth_net.spec import load_convert_spec, load_spec, read_results_folder
from depth_net.status import RANKS, StatusWriter, ends_with_failure, reports, warn
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType, ModuleType

    from depth_net.config.dataset import SplitName
    from depth_net.config.experiment import ExperimentConfig

logger = logging.getLogger(__name__)

STATUS_FILE: Final = "status.json"
EXPERIMENT_FILE: Final = "experiment.yaml"
_MODE: Final = {
    "train": ("Depth Net", "train"),
    "evaluate": ("Depth Net", "evaluate"),
    "inference": ("Depth Net", "inference"),
    "export": ("DepthNet", "export"),
    "quantize": ("DepthNet", "quantize"),
}
_CHECKED: Final[Mapping[str, tuple[SplitName, ...]]] = {"train": ("train", "val"), "evaluate": ("test",)}
"""Splits whose data are checked before the action starts."""
_ANY_DEPTH_M: Final = 1e6
"""Upper end of a depth range that leaves nothing out."""
_STOPPED_TOGETHER: Final = "SIGTERMException"
"""Name of the exception that Lightning raises when all processes of a run have agreed to stop."""
_INTERRUPTED: Final = {"KeyboardInterrupt": 130, TerminatedError.__name__: 143, _STOPPED_TOGETHER: 143}
INTERRUPTED: Final = frozenset(_INTERRUPTED.values())
"""Exit statuses of a run that a signal has ended."""
_HEADINGS: Final = (
    (SpecError, "Configuration error: "),
    (DataError, "Data error: "),
    (WeightsError, "Weights error: "),
    (DivergenceError, "Training diverged: "),
    (NotImplementedError, "Feature not implemented: "),
    ((ValueError, TypeError), "Parameter validation error: "),
    (OSError, "File system error: "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One action to run.

    Attributes:
        action: train, evaluate, inference, export, quantize or convert.
        spec: The spec file.
        overrides: ``key=value`` arguments.
    """

    action: str
    spec: Path
    overrides: tuple[str, ...] = ()


def execute(request: Request) -> int:
    """Run an action and return its exit status; every error becomes a message, a status line and an exit status."""
    status: list[StatusWriter] = []
    with _stoppable():
        return _run_reporting_errors(request, status)


def _run_reporting_errors(request: Request, status: list[StatusWriter]) -> int:
    try:
        _execute(request, status)
    except (DepthNetError, OSError) as error:
        return _fail(request, status, error, str(error))
    except BaseException as error:
        if type(error).__name__ in _INTERRUPTED:
            return _stop(request, status, error)
        logger.exception("%s ended with an unexpected error", request.action)
        return _fail(request, status, error, f"{type(error).__name__}: {error}")
    return 0


def code_of(error: BaseException) -> str:
    """Return the machine-readable code of an error for the status file."""
    if isinstance(error, DepthNetError):
        return error.code
    if type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error).lower():
        return "out_of_memory"
    if type(error).__name__ in _INTERRUPTED:
        return "interrupted"
    return "infrastructure" if isinstance(error, OSError) else "trainer"


def import_action(action: str) -> ModuleType:
    """Import the module of an action, and with it PyTorch and what else it needs, without the garbage collector.

    Imported modules live until the process ends. The collector would traverse them repeatedly while they load, and once
    more at exit: a quarter of the CPU time of a short command (6.5 s with it, 4.9 s without). Other objects that exist
    at the first import of an action are frozen too.
    """
    _settle_threads()
    name = f"depth_net.actions.{action}"
    if name in sys.modules:
        return sys.modules[name]
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        if is_collecting:
            gc.enable()


def _settle_threads() -> None:
    """Set the thread options that libraries read when they are imported.

    NumPy starts no threads: it computes no large matrix products here. PyTorch's threads spin while they wait for each
    other. On an idle machine that is faster, on a busy one they take CPU time from the thread that the others wait for;
    there they sleep (tiny model, 2 threads on 2 cores: 46 images/s spinning and 26 sleeping on an idle machine, 1.7 and
    16 at a load of 4.5).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.getloadavg()[0] >= (os.cpu_count() or 1):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def _stoppable() -> Iterator[None]:
    """Raise an exception on the first SIGTERM, so that an action ends in order; training has a handler of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def is_agreed(error: BaseException) -> bool:
    """Tell whether an error ends all processes of a run at once, so that the first one reports it."""
    return isinstance(error, DivergenceError) or type(error).__name__ == _STOPPED_TOGETHER


def is_helper(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process was started by the first process of its machine, for another GPU."""
    return environment.get("LOCAL_RANK", "0") != "0"


def _execute(request: Request, status: list[StatusWriter]) -> None:
    if request.action == "convert":
        _convert(request, status)
        return
    if request.action == "train":
        start_driver()
        torch = sys.modules.get("torch")  # not yet imported where nothing is preloaded
        if torch is not None and torch.version.cuda is not None:
            open_context()
    config = load_spec(request.spec, request.overrides, action=request.action)
    directory = config.results_directory(request.action)
    writer = _open(directory, status)
    product, mode = _MODE[request.action]
    if reports():
        _write_experiment(directory, config)
    writer.started(f"Starting {product} {mode}.")
    _require_weights(request.action, config)
    for notice in spec_notices(config, request.action):
        warn(writer, notice, code="notice")
    _check_data(request.action, config, writer)
    import_action(request.action).run(config, writer)
    writer.running(f"{mode.capitalize()} finished successfully.")


def _require_weights(action: str, config: ExperimentConfig) -> None:
    """Refuse missing weights before data are read and PyTorch is imported."""
    absent = absent_weights(config, action)
    if absent:
        raise WeightsError("\n\n".join(["weights are missing", *map(str, absent)]))


def _check_data(action: str, config: ExperimentConfig, writer: StatusWriter) -> None:
    """Refuse unusable data before PyTorch is imported and a GPU is used."""
    splits = _CHECKED.get(action)
    if splits is None:
        return
    is_open = action == "evaluate" and config.model.model_type is ModelType.METRIC and config.dataset.max_depth is None
    if is_open:  # the range comes from the checkpoint, which is not open yet
        dataset = config.dataset.model_copy(update={"max_depth": _ANY_DEPTH_M})
        config = config.model_copy(update={"dataset": dataset})
    report = import_action("check").require_usable_data(config, splits=splits)
    for source in report.sources:
        logger.info("%s", source)
    for finding in () if is_open else report.findings:
        text = f"{finding.where}: found {finding.found}, expected {finding.expected}; {finding.fix}"
        warn(writer, text, code="data")


def _convert(request: Request, status: list[StatusWriter]) -> None:
    from depth_net.actions.convert import convert  # noqa: PLC0415 - imports OpenCV

    config = load_convert_spec(request.spec, request.overrides)
    writer = _open(config.output_folder, status)
    writer.started("Starting Dataset convert.")
    report = convert(config)
    for path, lines in report.files:
        logger.info("%s  %d lines", path, lines)
    for warning in report.warnings:
        writer.warning(warning, code="notice")
    writer.running("Dataset convert finished successfully.")


def _open(directory: Path, status: list[StatusWriter]) -> StatusWriter:
    writer = StatusWriter(directory / STATUS_FILE if reports() else None)
    status.append(writer)
    return writer


def _write_experiment(directory: Path, config: ExperimentConfig) -> None:
    with whole(directory / EXPERIMENT_FILE) as unfinished:
        unfinished.write_text(to_yaml(config.to_tree()), encoding="utf-8")


def _fail(request: Request, status: Sequence[StatusWriter], error: BaseException, text: str) -> int:
    heading = next((prefix for kind, prefix in _HEADINGS if isinstance(error, kind)), "")
    logger.error("%s%s", heading, text)
    place = {"epoch": error.epoch, "step": error.step} if isinstance(error, DivergenceError) else {}
    _write_failure(request, status, error, f"{heading}{text}", place)
    return _exit_status(error, 1)


def _stop(request: Request, status: Sequence[StatusWriter], error: BaseException) -> int:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    folder = status[-1].path.parent if status and status[-1].path else None
    resumable = request.action == "train" and folder is not None and any(folder.glob("*_latest.pth"))
    text = "stopped by a signal" + ("; the newest checkpoint can be resumed" if resumable else "")
    logger.warning("%s %s", request.action, text)
    _write_failure(request, status, error, f"{request.action} {text}", {})
    return _exit_status(error, _INTERRUPTED[type(error).__name__])


def _exit_status(error: BaseException, number: int) -> int:
    """Return 0 for a helper in an agreed stop: Lightning kills the first process when one that it started fails."""
    return 0 if is_helper() and is_agreed(error) else number


def _write_failure(
    request: Request, status: Sequence[StatusWriter], error: BaseException, text: str, place: Mapping[str, object]
) -> None:
    try:
        writer = _failure_writer(request, status, error)
        if writer is not None and type(error).__name__ in _INTERRUPTED:
            writer.stopped(text)
        elif writer is not None:
            writer.failure(text, code=code_of(error), data=place)
    except (OSError, SpecError) as problem:
        logger.warning("no status line could be written: %s", problem)


def _failure_writer(request: Request, status: Sequence[StatusWriter], error: BaseException) -> StatusWriter | None:
    """Return where to report a failure; None where another process reports it, which knows the cause better."""
    writer = status[-1] if status and reports() else _status_of_a_wrong_spec(request)
    if writer is None or (is_agreed(error) and not reports()):
        return None
    distributed = any(name in os.environ for name in ("WORLD_SIZE", *RANKS))
    return None if distributed and ends_with_failure(writer.path) else writer


def _status_of_a_wrong_spec(request: Request) -> StatusWriter | None:
    """Return a writer in the folder that even a wrong spec names, so that an orchestrator reads why it failed."""
    if not request.spec.is_file():
        return None
    folder = read_results_folder(request.spec, request.overrides, request.action)
    return StatusWriter(folder / STATUS_FILE) if folder else None
