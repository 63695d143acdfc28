"""The data of a study: their paths, how a `prepare` command makes them, and what trials find in them."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, LaunchError, counted
from automl.launch.command import find_program
from automl.preflight.annotations import count_samples
from automl.preflight.findings import Finding, bad, doubt, from_problem, good
from automl.request.location import make_private
from automl.shown_command import shown
from automl.spec.inputs import missing_inputs
from automl.spec.model import iterate_leaves
from automl.spec.sample_lists import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.request.study_request import InputSettings, StudyRequest
    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec
    from automl.study.model import StudyPlan

logger = logging.getLogger(__name__)

_BATCH_ALIASES = ("batch_size", "train_batch_size")


def pending_folder(request: InputSettings, results: Path) -> Path | None:
    """Return the folder that the run makes before its first trial; None where there is nothing left to make.

    Where data are named and none of them lies in the folder, other data have replaced it.
    """
    folder = _prepared_folder(request, results)
    if folder is None or folder.exists():
        return None
    named = request.data.values()
    return folder if not named or any("{prepared}" in path or str(folder) in path for path in named) else None


def with_prepared_paths(request: StudyRequest, results: Path) -> StudyRequest:
    """Return the request with ``{prepared}`` replaced in its data paths."""
    folder = _prepared_folder(request, results)
    if folder is None:
        return request
    data = {split: path.replace("{prepared}", str(folder)) for split, path in request.data.items()}
    return request.with_settings(data=data)


def prepare_data(request: InputSettings, results: Path) -> None:
    """Make the study's data when their folder is missing; what the command prints goes to stderr.

    Raises:
        LaunchError: the command cannot be started, fails, or does not make the folder.
    """
    folder = pending_folder(request, results)
    if folder is None or request.prepare is None:
        return
    command = [argument.replace("{prepared}", str(folder)) for argument in request.prepare.command]
    try:
        program = find_program(command[0])
    except LaunchError as error:
        raise LaunchError(f"the study's data cannot be prepared: {command[0]} is not installed here") from error
    make_private(folder.parent)
    logger.info("preparing data: %s", " ".join(command))
    done = subprocess.run(  # noqa: S603 - an argument list from the user's own study file, no shell
        [str(program), *command[1:]], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
    )
    if done.returncode != 0 or not folder.exists():
        raise LaunchError(
            f"the study's data were not prepared: `{' '.join(command)}` ended with status {done.returncode} and "
            f"{folder} {'exists' if folder.exists() else 'is not there'}"
        )


def check_inputs(skill: Skill, action: str, spec: Spec) -> None:
    """Check that every required input of an action has a value and exists.

    Raises:
        ConfigurationError: an input is missing; with every problem.
    """
    problems = missing_inputs(skill, action, spec)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the inputs")


def describe_data(request: StudyRequest, results: Path) -> list[dict[str, Any]]:
    """Return split, path and number of samples of each split, for the launch review."""
    folder = pending_folder(request, results)
    rows = []
    for split, path in with_prepared_paths(request, results).data.items():
        count = count_samples(Path(path))
        will_be_made = folder is not None and Path(path).is_relative_to(folder)
        state = "made before the first trial" if will_be_made else "not counted" if Path(path).exists() else "not there"
        rows.append({"split": split, "path": path, "samples": state if count is None else f"{count} samples"})
    return rows


def data_files(request: InputSettings, plan: StudyPlan) -> dict[str, str]:
    """Return name -> path of everything that trials read, the splits by their names, the rest by parameter path."""
    found = {f"data {split}": path for split, path in request.data.items()}
    slots = {slot.key for slot in plan.skill.actions[plan.action].inputs}
    for path, value in _texts(plan.spec.values):
        is_read = path in slots or Path(value).suffix.lower() in SUFFIXES
        if is_read and "/" in value and "://" not in value and "${" not in value and value not in found.values():
            found[path] = value
    return found


def data_findings(
    plan: StudyPlan, data: Mapping[str, str], *, unreadable: Mapping[str, str], pending: Path | None
) -> Iterator[Finding]:
    """Return rows about data that cannot be read, and required inputs that are missing.

    ``unreadable`` has the reason for each path that cannot be read; what lies in the folder ``pending`` is made later.
    """
    for name, path in data.items():
        if pending is not None and Path(path).is_relative_to(pending):
            yield good(name, f"{path}: made before the first trial")
        elif path not in unreadable:
            yield good(name, path)
        elif name.startswith("data "):
            found = f"{path}: {unreadable[path]}"
            yield bad(name, found, expected="a file or folder that can be read", fix="check the path")
    for problem in missing_inputs(plan.skill, plan.action, plan.spec):
        if pending is None or str(pending) not in problem.found:
            yield from_problem(problem)


def annotation_files(data: Mapping[str, str], *, unreadable: Mapping[str, str]) -> Iterator[Path]:
    """Yield the annotation files among the data that can be read, each once."""
    for path in dict.fromkeys(data.values()):
        if Path(path).suffix.lower() in SUFFIXES and Path(path).is_file() and path not in unreadable:
            yield Path(path)


def sample_findings(plan: StudyPlan, data: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the samples of the training split with what one step of all devices takes."""
    file = next((path for name, path in data.items() if "train" in name), None)
    samples = count_samples(Path(file)) if file is not None else None
    batch = _batch(plan)
    if samples is None or batch is None:
        return
    devices = max(1, math.ceil(plan.resources.gpus_per_trial)) * plan.resources.nodes_per_trial
    found = f"{samples} samples, {batch} x {counted(devices, 'device')} a step"
    fix = "lower the batch size with --set, use fewer devices, or add samples"
    if samples < devices:
        yield bad("samples", found, expected="at least one sample for each device", fix=fix)
    elif samples < batch * devices:
        yield doubt("samples", f"{found}: no step is full, and trainers that drop the last batch do nothing", fix=fix)
    else:
        yield good("samples", f"{found}: {samples // (batch * devices)} steps an epoch")


def finite_findings(values: JsonValue) -> Iterator[Finding]:
    """Refuse numbers of a spec that are not finite: neither the plan of a study nor a status file can hold them."""
    for path, value in _scalars(values):
        if isinstance(value, float) and not math.isfinite(value):
            fix = f"set a number with {shown('--set', f'{path}=...')}, or null for none"
            yield bad(f"spec {path}", str(value), expected="a finite number", fix=fix)


def numbers(values: dict[str, JsonValue], name: str) -> Iterator[tuple[str, int]]:
    """Yield (parameter path, number) of the parameters whose last part is ``name`` and that hold a whole number."""
    for path, value in iterate_leaves(values):
        if path.rpartition(".")[2] == name and isinstance(value, int) and not isinstance(value, bool):
            yield path, value


def _prepared_folder(request: InputSettings, results: Path) -> Path | None:
    """Return the folder that the study's `prepare` makes, whether it exists or not; None without `prepare`."""
    return results / "data" / request.prepare.directory if request.prepare else None


def _batch(plan: StudyPlan) -> int | None:
    paths = [plan.skill.shorthand_keys[alias] for alias in _BATCH_ALIASES if alias in plan.skill.shorthand_keys]
    values = [plan.spec.get(path) for path in paths if plan.spec.has(path)]
    values += [value for path, value in numbers(plan.spec.values, "batch_size") if "train" in path]
    return next((v for v in values if isinstance(v, int) and not isinstance(v, bool) and v > 0), None)


def _texts(values: JsonValue) -> Iterator[tuple[str, str]]:
    """Yield (parameter path, text) of every text in a spec, those in lists included."""
    return ((path, value) for path, value in _scalars(values) if isinstance(value, str) and value)


def _scalars(value: JsonValue, path: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield (parameter path, value) of every value in a spec that holds no others, those in lists included."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _scalars(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _scalars(child, f"{path}[{index}]")
    else:
        yield path, value
