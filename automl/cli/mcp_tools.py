"""The tools that an agent is offered: commands of this program, with input schemas that come from their options.

A tool is a command with its options, so agents and people ask for a study by the same request. Left out are options of
terminals, and those that would start a program of the caller's. Nothing is run here; see `automl.cli.mcp_server`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from automl.cli.app import cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DESCRIPTIONS = {
    "list": "List model skills, built-in ones or those of a folder; with `studies` the studies of a results folder.",
    "space": "Show which parameters of a study or skill are searched, which are not, and why.",
    "plan": "Show what `run` would do: what is searched, the first trials, the cost, and what would stop it. Runs "
    "nothing. Returns the fingerprint that `run` needs.",
    "doctor": "Check machine, data and weights for a run: rows ok, warn or fail, each with its fix.",
    "run": "Start a study: the same arguments as for `plan`, with the fingerprint that `plan` returned. Any change "
    "since then is refused. Returns at once with the study to poll by `status`.",
    "status": "Return the state of a study: its trials, the best one, why it has ended.",
    "logs": "Return the last lines of the log of a trial.",
    "stop": "End a study, or one running trial of it; the best values so far count.",
    "compare": "Rank the trials of one or several studies, best first.",
    "evaluate": "Evaluate the best checkpoint of a study, or another one. If it takes long, call again to wait for it.",
    "export": "Export the best checkpoint of a study, or another one. If it takes long, call again to wait for it.",
}
_READ_ONLY = frozenset(_DESCRIPTIONS) - {"run", "stop", "evaluate", "export"}
_LEFT_OUT = {
    *("as_json", "yes", "notify", "watch", "follow", "raw", "as_csv", "show_commands", "strict", "study_dir"),
    *("evaluate_with", "request_model"),
}
_NAMES = {"root": "study_dir", "study_dirs": "study_dirs"}
_REQUIRED = {"run": ["fingerprint"]}
_MOST_LINES = 2000
_LINES = {"type": "integer", "minimum": 1, "maximum": _MOST_LINES, "description": "How many lines, from the end [100]."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool: its name is that of its command."""

    name: str
    description: str
    input_schema: dict[str, Any]
    is_read_only: bool


def tools() -> tuple[Tool, ...]:
    """Return every tool."""
    return tuple(
        Tool(name=name, description=text, input_schema=input_schema(name), is_read_only=name in _READ_ONLY)
        for name, text in _DESCRIPTIONS.items()
    )


def input_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a tool's arguments."""
    offered = dict(_parameters(name))
    properties = {key: _property(parameter) for key, parameter in offered.items()}
    required = [key for key, parameter in offered.items() if parameter.required] + _REQUIRED.get(name, [])
    if name == "logs":
        properties["lines"] = _LINES
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def command_line(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Return the command that a tool stands for; the arguments fit its input schema."""
    options, values = [], []
    for key, parameter in _parameters(name):
        value = arguments.get(key)
        if value is None or value is False:
            continue
        texts = [_text(item) for item in _items(value)]
        if isinstance(parameter, click.Argument):
            values += texts
        elif value is True:
            options.append(_flag(parameter))
        else:
            # One word for each, so that no value is read as an option.
            options += [f"{_flag(parameter)}={text}" for text in texts]
    return [name, *options, "--json", "--", *values]


def _items(value: Any) -> list[Any]:  # noqa: ANN401 - plain data
    if isinstance(value, dict):
        return [f"{key}={_text(item)}" for key, item in value.items()]
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:  # noqa: ANN401 - plain data
    return value if isinstance(value, str) else json.dumps(value)


def _parameters(name: str) -> Iterator[tuple[str, click.Parameter]]:
    """Yield the parameters of a command that a tool has, by their names there: those of the command line."""
    command = cli.get_command(click.Context(cli), name)
    for parameter in command.params if command is not None else ():
        if parameter.name in _LEFT_OUT or parameter.name is None:
            continue
        is_option = isinstance(parameter, click.Option)
        shown = _flag(parameter).removeprefix("--").replace("-", "_") if is_option else parameter.name
        yield ("folder" if name == "list" and shown == "root" else _NAMES.get(shown, shown)), parameter


def _flag(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len)


def _property(parameter: click.Parameter) -> dict[str, Any]:
    """Return the schema of one argument: a mapping for options of the form NAME=VALUE, a list for repeated ones."""
    item, text = _type(parameter.type), getattr(parameter, "help", None)
    is_several = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    if getattr(parameter, "is_flag", False):
        item = {"type": "boolean"}
    elif is_several and "=" in (parameter.metavar or ""):
        item = {"type": "object"} if parameter.name != "data" else {"type": "object", "additionalProperties": item}
    elif is_several:
        item = {"type": "array", "items": item, **({"minItems": 1} if parameter.required else {})}
    described = (text or _ARGUMENTS.get(parameter.name or "", "")).removesuffix(" Repeatable.")
    return {**item, **({"description": described} if described else {})}


_ARGUMENTS = {
    "study": "A study file, or the name of a ready one, e.g. toy/quick [the depth demo].",
    "root": "The folder: of the study, as `run` and `list` return it; for `list` of skills or results.",
    "study_dirs": "Folders of studies.",
    "trial": "Number of the trial.",
}


def _type(kind: click.ParamType[Any]) -> dict[str, Any]:
    match kind:
        case click.Choice():
            return {"type": "string", "enum": list(kind.choices)}
        case click.IntRange() | click.FloatRange():
            bound = "exclusiveMinimum" if kind.min_open else "minimum"
            limits = {bound: kind.min, "maximum": kind.max}
            limits = {name: limit for name, limit in limits.items() if limit is not None}
            return {"type": "integer" if isinstance(kind, click.IntRange) else "number", **limits}
        case _ if kind is click.FLOAT:
            return {"type": "number"}
        case _:
            return {"type": "string"}
