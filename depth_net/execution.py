"""Run one action from its spec: results folder, ``experiment.yaml``, first and last status line, errors, exit status.

Every error ends here: one FAILURE line with a machine-readable code, one message, exit status 1; a run that was asked
to stop ends with 130 (Ctrl-C) or 143 (SIGTERM). Nothing heavy is imported before the spec is known to be good.
"""

from __future__ import annotations

import importlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from depth_net.config.tree import to_tree, to_yaml
from depth_net.errors import DataError, DepthNetError, DivergenceError, SpecError, WeightsError
from depth_net.spec import load_convert_spec, load_spec, read_results_folder
from depth_net.status import StatusWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from depth_net.config import ExperimentConfig

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
_RANKS: Final = ("NODE_RANK", "GROUP_RANK", "LOCAL_RANK", "SLURM_PROCID")
_INTERRUPTED: Final = {"KeyboardInterrupt": 130, "SIGTERMException": 143}
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
        overrides: ``key=value`` words.
    """

    action: str
    spec: Path
    overrides: tuple[str, ...] = ()


def execute(request: Request) -> int:
    """Run an action and return its exit status; every error becomes a message, a status line and a number."""
    status: list[StatusWriter] = []
    try:
        _execute(request, status)
    except (DepthNetError, OSError) as error:
        return _fail(request, status, error, str(error))
    except BaseException as error:
        if type(error).__name__ in _INTERRUPTED:
            return _stop(request, status, error)
        logger.exception("%s ended with an error that it did not expect", request.action)
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


def reports(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process is the first of a distributed run, the one that writes the status file."""
    return all(environment.get(name, "0") == "0" for name in _RANKS)


def _execute(request: Request, status: list[StatusWriter]) -> None:
    if request.action == "convert":
        _convert(request, status)
        return
    config = load_spec(request.spec, request.overrides, action=request.action)
    directory = config.results_directory(request.action)
    writer = _open(directory, status)
    product, mode = _MODE[request.action]
    if reports():
        _write_experiment(directory, config)
    writer.started(f"Starting {product} {mode}.")
    if request.action == "train":
        _check_data(config, writer)
    importlib.import_module(f"depth_net.actions.{request.action}").run(config, writer)
    writer.running(f"{mode.capitalize()} finished successfully.")


def _check_data(config: ExperimentConfig, writer: StatusWriter) -> None:
    """Refuse data that cannot train before PyTorch is imported and any GPU is asked for."""
    from depth_net.actions.check import require_usable_data  # noqa: PLC0415 - imports OpenCV

    for finding in require_usable_data(config):
        text = f"{finding.where}: found {finding.found}, expected {finding.expected}; {finding.fix}"
        logger.warning("%s", text)
        writer.warning(text, code="data")


def _convert(request: Request, status: list[StatusWriter]) -> None:
    from depth_net.actions.convert import ConvertSettings, convert  # noqa: PLC0415 - imports OpenCV

    config = load_convert_spec(request.spec, request.overrides)
    settings = ConvertSettings.from_config(config)
    writer = _open(settings.results_dir, status)
    writer.started("Starting Dataset convert.")
    report = convert(settings)
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
    place = directory / EXPERIMENT_FILE
    fresh = place.with_name(f".{EXPERIMENT_FILE}.part")
    fresh.write_text(to_yaml(to_tree(config)), encoding="utf-8")
    fresh.replace(place)


def _fail(request: Request, status: Sequence[StatusWriter], error: BaseException, text: str) -> int:
    heading = next((words for kind, words in _HEADINGS if isinstance(error, kind)), "")
    logger.error("%s%s", heading, text)
    place = {"epoch": error.epoch, "step": error.step} if isinstance(error, DivergenceError) else {}
    _write_failure(request, status, f"{heading}{text}", {"code": code_of(error), **place})
    return 1


def _stop(request: Request, status: Sequence[StatusWriter], error: BaseException) -> int:
    text = "stopped by a signal; the newest checkpoint can be resumed"
    logger.error("%s %s", request.action, text)
    _write_failure(request, status, f"{request.action} {text}", {"code": "interrupted"})
    return _INTERRUPTED[type(error).__name__]


def _write_failure(request: Request, status: Sequence[StatusWriter], text: str, data: Mapping[str, object]) -> None:
    try:
        writer = status[-1] if status else _status_of_a_wrong_spec(request)
        if writer is not None:
            writer.failure(text, code=str(data["code"]), data=data)
    except (OSError, SpecError) as error:
        logger.warning("no status line could be written: %s", error)


def _status_of_a_wrong_spec(request: Request) -> StatusWriter | None:
    """Return a writer in the folder that even a wrong spec names, so that an orchestrator reads why it failed."""
    if not request.spec.is_file() or not reports():
        return None
    folder = read_results_folder(request.spec, request.overrides, request.action)
    return StatusWriter(folder / STATUS_FILE) if folder else None
