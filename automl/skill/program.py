"""A program to train with, as a study file names it: its command, where it runs, and what it leaves.

The command has any of these places, each replaced by what it says: ``{lr}``, or any other parameter; ``{overrides}``,
every value that the search or the user sets, as ``key=value`` words, and ``--{overrides}`` as options;
``{config_path}``, a file with all values; ``{trial_dir}``, the trial's folder; ``{resume}``, the words that continue
from a checkpoint, at the end where it is not named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.config_files import JsonValue

CONFIG, OVERRIDES, RESUME, TRIAL_DIR, CHECKPOINT = "config_path", "overrides", "resume", "trial_dir", "checkpoint"
COMMAND = "program"
"""The name in `Skill.fingerprints` of the command, with what the study says of it; beside it are files."""
NETWORK_ARCH = "program"
"""The architecture of a program that no skill describes."""
WORK = "work"
"""The folder of an attempt in which a program runs."""
_PLACE = re.compile(r"\{([A-Za-z_][\w.-]*(?:\[\d+\])*)\}")
_OVERRIDES = re.compile(rf"(?<!\S)([-+]*)\{{{OVERRIDES}\}}(?!\S)")
_OWN = {CONFIG, OVERRIDES, RESUME, TRIAL_DIR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a script.

    Attributes:
        path: Its name in the program, dots between levels: ``learning_rate``, ``model.lr``.
        flag: How a command line spells it, ``--learning-rate``; empty where it is no option.
        kind: ``float``, ``int``, ``str`` or ``bool``; empty where the source does not say.
        default: None where it has none, or none that can be read.
        is_flag: It takes no value: it is there or not.
        negative: How a flag is switched off, ``--no-ema``; empty where it is left out for that.
        is_any_text_true: Its type is ``bool``, which takes every text, also "False", as true.
        is_required: The program does not start without it.
        is_off: Its default is none: what it sets is off, and no value of it means that.
        limits: Lowest and highest value that it takes; None for no limit.
        subcommand: The word behind which it is taken; empty for none.
    """

    path: str
    flag: str = ""
    kind: str = ""
    default: JsonValue = None
    choices: tuple[JsonValue, ...] = ()
    text: str = ""
    is_flag: bool = False
    negative: str = ""
    is_any_text_true: bool = False
    is_required: bool = False
    is_off: bool = False
    limits: tuple[float | None, float | None] = (None, None)
    subcommand: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is known of a program.

    Attributes:
        command: With its places.
        folder: Where the study file lies; a trial sees what is in it as its own working folder.
        library: Who reads the arguments, where the source says: ``argparse``, ``hydra``, ...
        arguments: What the source declares, by path.
        resume: The words that continue from a checkpoint, with ``{checkpoint}``; None where it cannot.
        outputs: Names in the working folder that the program writes: a trial does not see those of the folder.
        first_epoch: Number of the program's first epoch, 0 or 1; None where the study does not say.
        is_function: It is a function of Python: what it reports and returns counts, and no file and no line that it or
            its libraries write besides.
        sources: The files of its code, by their names in `Skill.fingerprints`.
    """

    command: str
    folder: Path
    library: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=lambda: MappingProxyType({}))
    resume: str | None = None
    outputs: tuple[str, ...] = ()
    first_epoch: int | None = None
    is_function: bool = False
    sources: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def places(self) -> tuple[str, ...]:
        """The parameters that the command names one by one."""
        return tuple(dict.fromkeys(name for name in _PLACE.findall(self.command) if name not in _OWN))

    @property
    def takes_all(self) -> bool:
        """Whether every parameter reaches the program."""
        return f"{{{OVERRIDES}}}" in self.command or f"{{{CONFIG}}}" in self.command

    @property
    def template(self) -> str:
        """The command with a place for the words that continue from a checkpoint."""
        has_place = f"{{{RESUME}}}" in self.command or self.resume is None
        return self.command if has_place else f"{self.command} {{{RESUME}}}"


def overrides_places(command: str) -> dict[str, str]:
    """Return each place for all values in a command, ``--{overrides}``, with what stands before each word."""
    return {match[0]: match[1] for match in _OVERRIDES.finditer(command)}
