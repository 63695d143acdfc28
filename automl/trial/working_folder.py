"""What a program of the user's own is started with: the places of its command, and its working folder.

A trial runs in a folder of its own, in which everything of the user's folder is there as a link: a program finds its
data and its modules by the paths it knows, and what it writes stays in the trial.
"""

from __future__ import annotations

import errno
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.skill.program import CHECKPOINT, RESUME, TRIAL_DIR, overrides_places
from automl.spec.model import iterate_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from automl.skill.model import JsonValue
    from automl.skill.program import Program
    from automl.spec.complete import ActionRun
    from automl.spec.model import Spec

_SET = {"trial", "override", "replicate", "smoke", "resources", "--spec"}
"""Origins of the values that the user, the search or the machine sets; the program has the others itself."""
# What tools write into the folder they run in: a trial must not add to what an earlier run has left there.
_WRITTEN = frozenset({"lightning_logs", "outputs", "multirun", "runs", "wandb", "mlruns", "tb_logs", "__pycache__"})
_HYDRA_PLAIN = re.compile(r"[\w./:@+%-]+")


@dataclass(frozen=True, slots=True)
class ShownFolder:
    """A folder of the user, and the names in it that a trial does not see."""

    folder: Path
    hidden: frozenset[str]


def shown_folder(program: Program | None) -> ShownFolder | None:
    """Return the folder that trials of a program see; None for a skill."""
    return None if program is None else ShownFolder(program.folder, _WRITTEN.union(program.outputs))


def make_working_folder(shown: ShownFolder, folder: Path, study: Path) -> None:
    """Make the working folder of an attempt; the study itself and hidden files are not in it.

    Raises:
        OSError: the user's folder cannot be read, or the working folder not made.
    """
    if folder.is_symlink():
        raise FileExistsError(errno.EEXIST, "the working folder of the trial is a link", str(folder))
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in entries_of(shown, study):
        link = folder / entry.name
        if not link.is_symlink():
            link.symlink_to(entry)


def entries_of(shown: ShownFolder, study: Path) -> Iterator[Path]:
    """Yield what a trial of a study sees of a folder, in order of names."""
    for entry in sorted(shown.folder.iterdir()):
        is_hidden = entry.name.startswith(".") or entry.name in shown.hidden
        if not is_hidden and not study.is_relative_to(entry):
            yield entry


def places_of(program: Program | None, spec: Spec, run: ActionRun) -> dict[str, str | tuple[str, ...]]:
    """Return what stands in the places of a program's command in one attempt of a trial."""
    if program is None:
        return {}
    places: dict[str, str | tuple[str, ...]] = {f"{{{TRIAL_DIR}}}": str(run.results_dir), f"{{{RESUME}}}": ()}
    if program.resume is not None and run.resume_checkpoint is not None:
        checkpoint = str(run.resume_checkpoint)
        is_quoted = program.library == "hydra" and not _HYDRA_PLAIN.fullmatch(checkpoint)
        shown = f"'{checkpoint}'" if is_quoted else checkpoint
        words = shlex.split(program.resume)
        places[f"{{{RESUME}}}"] = tuple(word.replace(f"{{{CHECKPOINT}}}", shown) for word in words)
    for name in program.places:
        places[f"{{{name}}}"] = str(spec.get(name)) if spec.has(name) else ""
    values = {
        path: value
        for path, value in iterate_leaves(spec.values)
        if spec.origins.get(path) in _SET and path not in program.places
    }
    for place, prefix in overrides_places(program.command).items():
        is_options = prefix.startswith("-")
        made = (_options if is_options else _assignments)(program, values)
        places[place] = tuple(word if is_options else f"{prefix}{word}" for word in made)
    return places


def _options(program: Program, values: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield values as options: ``--lr=0.1``; a flag is there or not."""
    for path, value in values.items():
        argument = program.arguments.get(path)
        flag = argument.flag if argument is not None and argument.flag else f"--{path}"
        if argument is not None and argument.is_flag:
            if argument.negative:
                yield flag if value else argument.negative
            elif value != argument.default:
                yield flag
        elif value is not None:
            yield from [f"{flag}={value}"] if flag.startswith("--") else [flag, str(value)]


def _assignments(program: Program, values: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield values as ``key=value``; Hydra needs quotes around text that is no plain word."""
    for path, value in values.items():
        argument = program.arguments.get(path)
        name = argument.flag if program.library == "hydra" and argument is not None and argument.flag else path
        text = "null" if value is None else str(value)
        is_quoted = program.library == "hydra" and isinstance(value, str) and not _HYDRA_PLAIN.fullmatch(text)
        yield f"{name}='{text}'" if is_quoted else f"{name}={text}"
