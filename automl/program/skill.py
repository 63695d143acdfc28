"""A program as a `Skill`: the one line of the product runs it like any model skill."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.architectures.load import load_architecture
from automl.errors import ConfigurationError, Problem
from automl.program.hydra_config import OWN_BLOCK
from automl.program.script import Script, read_script
from automl.program.sources import digests, named
from automl.skill.fields import is_parameter_path
from automl.skill.load import load_skill
from automl.skill.model import Skill, SkillAction
from automl.skill.program import CHECKPOINT, COMMAND, CONFIG, NETWORK_ARCH, WORK, Argument, Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automl.architectures.model import Architecture
    from automl.config_files import JsonValue

_GLOB = {"*": "[^/]*", "?": "[^/]"}
_TOKEN = re.compile(r"\{(\w+)\}|\*|\?")
_COUNTED = ("epoch", "step")
FUNCTION = "function"
"""The place in the command of a function for the file that holds it."""


def find_skill(reference: str | Path, program: Mapping[str, Any] | None = None) -> Skill:
    """Return the skill that a request names: a program's own, else one that `load_skill` reads.

    Raises:
        ConfigurationError: there is none, or it cannot be used; with every problem.
    """
    return load_skill(reference) if not program else program_skill(program)


def program_skill(document: Mapping[str, Any]) -> Skill:
    """Return a program as a skill.

    Args:
        document: ``command`` and ``folder``, and of the study's `report`: ``checkpoint``, ``first_epoch``, ``resume``,
            ``metrics``; and of a function its ``name``, its ``arguments`` with the values that each allows, its
            ``defaults`` by name, its ``sources``, the files of its code by name, and its ``file``, which stands in the
            command for ``{function}``.

    Raises:
        ConfigurationError: a pattern of checkpoints names no epoch, or the words that resume name no checkpoint.
    """
    folder, function = Path(document["folder"]), document.get("file")
    command = document["command"].replace(f"{{{FUNCTION}}}", shlex.quote(function)) if function else document["command"]
    # What calls a function is ours, never a file of the folder, whatever lies there.
    script = read_script(command, folder) if function is None else Script(arguments={})
    patterns = _texts(document.get("checkpoint"))
    is_config, defaults = f"{{{CONFIG}}}" in command, dict(document.get("defaults") or {})
    allowed: Mapping[str, Any] = document.get("arguments") or {}
    own_arguments = {name: Argument(path=name, choices=tuple(values)) for name, values in allowed.items()}
    problems = [*_pattern_problems(patterns), *_resume_problems(document.get("resume"))]
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    metrics = document.get("metrics")
    program = Program(
        command=command,
        folder=folder,
        library=script.library,
        arguments=MappingProxyType(script.arguments | own_arguments),
        resume=document.get("resume"),
        outputs=tuple(Path(name).parts[0] for name in (*patterns, *_texts(metrics))),
        first_epoch=document.get("first_epoch"),
        is_function=function is not None,
        sources=MappingProxyType(_sources(document, script.files, folder)),
    )
    action = SkillAction(
        name="train", command=program.template, metric_file=f"{WORK}/{metrics}" if metrics else None, program=program
    )
    return Skill(
        name=document.get("name") or _name(script, command),
        root=folder,
        network_arch=NETWORK_ARCH,
        automl_enabled=True,
        actions=MappingProxyType({action.name: action}),
        templates=MappingProxyType({}),
        schemas=MappingProxyType({}),
        values=MappingProxyType({**({} if is_config else _defaults(script)), **defaults}),
        shorthand_keys=MappingProxyType(_group_keys(script)),
        values_source="its own default" if script.file is None else f"the default of {script.file.name}",
        is_open=True,
        fingerprints=MappingProxyType({COMMAND: _digest(document), **digests(program.sources)}),
        architecture=_reporting() if program.is_function else _architecture(patterns, program.first_epoch or 0),
    )


def _group_keys(script: Script) -> dict[str, str]:
    """Return how a study names the groups of Hydra: as its command line does, with dots for slashes too."""
    groups = {one.path: one.flag for one in script.arguments.values() if one.path.startswith(f"{OWN_BLOCK}.")}
    return {name: path for path, flag in groups.items() for name in (flag, flag.replace("/", "."))}


def _name(script: Script, command: str) -> str:
    return script.file.stem if script.file is not None else re.split(r"\s", command.strip())[0].rpartition("/")[2]


def _texts(value: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _architecture(patterns: Iterable[str], first_epoch: int) -> Architecture:
    known = load_architecture(NETWORK_ARCH)
    numbered = tuple(name_pattern(pattern) for pattern in patterns if "{epoch}" in pattern)
    stepped = tuple(name_pattern(pattern) for pattern in patterns if _has_state(pattern))
    best = tuple(name_pattern(p) for p in patterns if "{epoch}" not in p and not _has_state(p))
    naming = replace(
        known.checkpoints,
        epoch_names=numbered or (() if patterns else known.checkpoints.epoch_names),
        state_folders=stepped or (() if patterns else known.checkpoints.state_folders),
        best_names=best or known.checkpoints.best_names,
        first_epoch=first_epoch,
        is_folder=any(pattern.endswith("/") for pattern in patterns),
    )
    return replace(known, checkpoints=naming)


def _reporting() -> Architecture:
    """Return what holds for a function: a file is a checkpoint because it is reported, whatever its name."""
    known = load_architecture(NETWORK_ARCH)
    naming = replace(known.checkpoints, epoch_names=(), state_folders=(), best_names=(), first_epoch=0)
    return replace(known, checkpoints=naming)


def name_pattern(pattern: str) -> str:
    """Return the regular expression of a pattern of checkpoints: ``epoch={epoch}-*.ckpt``."""
    expression, end, seen = "", 0, set[str]()
    text = pattern.strip("/").removeprefix("./")
    while text.startswith("*/"):  # any folder, the trial's own too
        text = text[2:]
    for match in _TOKEN.finditer(text):
        expression += re.escape(text[end : match.start()])
        name = match[1]
        expression += _GLOB[match[0]] if name is None else f"(?P={name})" if name in seen else rf"(?P<{name}>\d+)"
        seen |= {name} if name is not None else set()
        end = match.end()
    return expression + re.escape(text[end:])


def _has_state(pattern: str) -> bool:
    """Whether a pattern is of folders of Transformers, which say their epoch themselves."""
    return pattern.endswith("/") and "{step}" in pattern and "{epoch}" not in pattern


def _pattern_problems(patterns: Iterable[str]) -> Iterable[Problem]:
    for pattern in patterns:
        names = {match[1] for match in _TOKEN.finditer(pattern) if match[1]}
        if names - set(_COUNTED):
            found, fix = f"{{{min(names - set(_COUNTED))}}} in {pattern}", "write * for what changes otherwise"
            yield Problem(where="report.checkpoint", found=found, expected="{epoch}, {step}, * and ?", fix=fix)
        elif "epoch" not in names and "best" not in pattern.lower() and not _has_state(pattern):
            yield Problem(
                where="report.checkpoint",
                found=f"{pattern}, which names no epoch: nobody could tell which epoch's model the file holds",
                expected="a pattern with {epoch}; folders of Transformers, `checkpoint-{step}/`; or a file of the best"
                " model with `best` in its name",
                fix="save a file for each epoch, or call automl.report(..., checkpoint=path)",
            )


def _resume_problems(resume: str | None) -> Iterable[Problem]:
    if resume is not None and f"{{{CHECKPOINT}}}" not in resume:
        found, fix = f"{resume!r} without {{checkpoint}}", 'write e.g. "--resume {checkpoint}"'
        yield Problem(where="report.resume", found=found, expected="the words with {checkpoint}", fix=fix)


def _defaults(script: Script) -> dict[str, JsonValue]:
    """Return the defaults of a script, nested by the dots of their paths, but those that others block."""
    values: dict[str, Any] = {}
    for argument in script.arguments.values():
        if argument.default is None or not is_parameter_path(argument.path) or "[" in argument.path:
            continue
        *blocks, name = argument.path.split(".")
        node: Any = values
        for block in blocks:
            node = node.setdefault(block, {}) if isinstance(node, dict) else None
        if isinstance(node, dict) and not isinstance(node.get(name), dict):
            node[name] = argument.default
    return values


def _sources(document: Mapping[str, Any], files: Iterable[Path], folder: Path) -> dict[str, Path]:
    """Return the files of the code, by the names that they have in plans: those of a function, else those read."""
    listed = document.get("sources")
    return named(files, [folder]) if listed is None else {name: Path(path) for name, path in listed.items()}


def _digest(document: Mapping[str, Any]) -> str:
    """Return the digest of the command and of what the study says of it."""
    # The file of a function may move with the results folder, and is named after its content.
    of_place = {"file": Path(document["file"]).name} if document.get("file") else {}
    said = {**document, **of_place, "folder": None, "sources": None}
    text = repr(sorted((key, value) for key, value in said.items() if value is not None))
    return hashlib.sha256(text.encode()).hexdigest()
