"""Options that a script declares by calls: argparse, click, absl."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from automl.program.constants import (
    KINDS,
    as_declared,
    calls_of,
    is_none,
    keywords_of,
    kind_of,
    limits_of,
    name_of,
    subcommand_of,
    value_of,
)
from automl.skill.program import Argument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automl.config_files import JsonValue

_FLAG_ACTIONS = {"store_true": False, "store_false": True}
_BOTH_WAYS = "BooleanOptionalAction"


def _long_flag(words: Sequence[JsonValue]) -> str:
    flags = [word for word in words if isinstance(word, str) and word.startswith("-")]
    return next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else "")


def argparse_options(tree: ast.Module, constants: Mapping[str, JsonValue]) -> Iterator[Argument]:
    """Yield what calls of `add_argument` declare."""
    behind = _subcommands(tree, constants)
    for call in calls_of(tree):
        if name_of(call.func) != "add_argument" or not call.args:
            continue
        words, given = [value_of(word, constants) for word in call.args], keywords_of(call)
        flag, action = _long_flag(words), given.get("action")
        action_name = str(value_of(action, constants) or name_of(action))
        if action_name in {"version", "help"} or not isinstance(words[0], str):
            continue
        kind, choices = name_of(given.get("type")), value_of(given.get("choices"), constants)
        default = value_of(given.get("default"), constants)
        is_flag = action_name in _FLAG_ACTIONS or action_name == _BOTH_WAYS
        dest = value_of(given.get("dest"), constants) or (flag or words[0]).lstrip("-").replace("-", "_")
        yield Argument(
            path=str(dest),
            flag=flag,
            kind="bool" if is_flag else kind if kind in KINDS else kind_of(default),
            default=_FLAG_ACTIONS.get(action_name, default) if is_flag else as_declared(kind, default),
            choices=tuple(choices) if isinstance(choices, list) else (),
            text=str(value_of(given.get("help"), constants) or ""),
            is_flag=is_flag,
            negative=f"--no-{flag.lstrip('-')}" if action_name == _BOTH_WAYS else "",
            is_any_text_true=kind == "bool",
            is_required=value_of(given.get("required"), constants) is True or not (flag or "nargs" in given),
            is_off=is_none(given.get("default")),
            subcommand=behind.get(name_of(call.func.value), "") if isinstance(call.func, ast.Attribute) else "",
        )


def _subcommands(tree: ast.Module, constants: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return the names of parsers that `add_parser` has made, each with its word."""
    found: dict[str, str] = {}
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Assign)):
        call = node.value
        if isinstance(call, ast.Call) and name_of(call.func) == "add_parser" and call.args:
            word = str(value_of(call.args[0], constants))
            found |= {target.id: word for target in node.targets if isinstance(target, ast.Name)}
    return found


def click_options(tree: ast.Module, constants: Mapping[str, JsonValue]) -> Iterator[Argument]:
    """Yield what decorators declare: `@click.option`, `@click.argument`."""
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for call in node.decorator_list:
            if not isinstance(call, ast.Call) or name_of(call.func) not in {"option", "argument"} or not call.args:
                continue
            words, given = [value_of(word, constants) for word in call.args], keywords_of(call)
            names, flag = [word for word in words if isinstance(word, str)], _long_flag(words)
            on, _, off = flag.partition("/")
            own = next((name for name in names if name.isidentifier()), on.lstrip("-").replace("-", "_"))
            declared = given.get("type")
            choices = (
                value_of(declared.args[0], constants) if isinstance(declared, ast.Call) and declared.args else None
            )
            default = value_of(given.get("default"), constants)
            is_flag = bool(off) or value_of(given.get("is_flag"), constants) is True
            kind = name_of(declared.func if isinstance(declared, ast.Call) else declared).lower().removesuffix("range")
            low, high = limits_of(declared, constants) if isinstance(declared, ast.Call) else (None, None)
            yield Argument(
                path=own,
                flag=on,
                kind="bool" if is_flag else kind if kind in KINDS else kind_of(default),
                default=bool(default) if is_flag else as_declared(kind, default),
                choices=tuple(choices) if isinstance(choices, list) else (),
                text=str(value_of(given.get("help"), constants) or ""),
                is_flag=is_flag,
                negative=off if off.startswith("-") else f"--{off}" if off else "",
                is_required=value_of(given.get("required"), constants) is True or name_of(call.func) == "argument",
                is_off=is_none(given.get("default")),
                limits=(low, high),
                subcommand=subcommand_of(node, constants, group="click"),
            )


def absl_options(tree: ast.Module, constants: Mapping[str, JsonValue]) -> Iterator[Argument]:
    """Yield what calls of `flags.DEFINE_float` and the like declare."""
    kinds = {"float": "float", "integer": "int", "bool": "bool", "boolean": "bool", "enum": "str", "string": "str"}
    for call in calls_of(tree):
        kind = kinds.get(name_of(call.func).removeprefix("DEFINE_"), "")
        if not kind or not name_of(call.func).startswith("DEFINE_") or len(call.args) < 2:  # noqa: PLR2004 # name, default
            continue
        words, given = [value_of(word, constants) for word in call.args], keywords_of(call)
        options, name = words[2:3] if name_of(call.func) == "DEFINE_enum" else [], str(words[0])
        yield Argument(
            path=name,
            flag=f"--{name}",
            kind=kind,
            default=as_declared(kind, words[1]),
            choices=tuple(options[0]) if options and isinstance(options[0], list) else (),
            text=str(words[-1] or ""),
            is_flag=kind == "bool",
            negative=f"--no{name}" if kind == "bool" else "",
            is_required=value_of(given.get("required"), constants) is True,
            is_off=is_none(call.args[1]) and kind in {"float", "int"},
            limits=limits_of(call, constants),
        )
