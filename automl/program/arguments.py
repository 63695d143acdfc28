"""What a script declares of its arguments, read from its source: argparse, click, typer, dataclasses, Lightning's CLI.

Nothing is imported and nothing is run. A default that is no constant of the file is unknown.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.skill.program import Argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automl.config_files import JsonValue

_KINDS = frozenset({"float", "int", "str", "bool"})
_FLAG_ACTIONS = {"store_true": False, "store_false": True}
_BOTH_WAYS = "BooleanOptionalAction"


def read_arguments(tree: ast.Module) -> tuple[str, tuple[Argument, ...]]:
    """Return the library that reads the arguments, and the arguments; an empty name where none is recognised."""
    constants = _constants(tree)
    found = tuple(_argparse(tree, constants))
    if found:
        return "argparse", found
    found = tuple(_click(tree, constants))
    if found:
        return "click", found
    return _by_signature(tree, constants)


def _constants(tree: ast.Module) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = _value(node.value, {})
    return found


def _value(node: ast.expr | None, constants: Mapping[str, JsonValue]) -> JsonValue:
    """Return a plain constant; None for everything else."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    try:
        value = ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, bool | int | float | str)]
    return value if isinstance(value, bool | int | float | str) else None


def _name(node: ast.expr | None) -> str:
    """Return the last name of an expression: ``float``, ``argparse.ArgumentParser``."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _long_flag(words: Sequence[JsonValue]) -> str:
    flags = [word for word in words if isinstance(word, str) and word.startswith("-")]
    return next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else "")


def _typed(kind: str, default: JsonValue) -> JsonValue:
    """Return a default as the program has it: ``type=float, default=1`` is 1.0."""
    if kind == "float" and isinstance(default, int) and not isinstance(default, bool):
        return float(default)
    return default


def _argparse(tree: ast.Module, constants: Mapping[str, JsonValue]) -> Iterator[Argument]:
    for call in _calls(tree):
        if _name(call.func) != "add_argument" or not call.args:
            continue
        words, given = [_value(word, constants) for word in call.args], _keywords(call)
        flag, action = _long_flag(words), given.get("action")
        action_name = str(_value(action, constants) or _name(action))
        if action_name in {"version", "help"} or not isinstance(words[0], str):
            continue
        kind, choices = _name(given.get("type")), _value(given.get("choices"), constants)
        default = _value(given.get("default"), constants)
        is_flag = action_name in _FLAG_ACTIONS or action_name == _BOTH_WAYS
        dest = _value(given.get("dest"), constants) or (flag or words[0]).lstrip("-").replace("-", "_")
        yield Argument(
            path=str(dest),
            flag=flag,
            kind="bool" if is_flag else kind if kind in _KINDS else _kind_of(default),
            default=_FLAG_ACTIONS.get(action_name, default) if is_flag else _typed(kind, default),
            choices=tuple(choices) if isinstance(choices, list) else (),
            text=str(_value(given.get("help"), constants) or ""),
            is_flag=is_flag,
            negative=f"--no-{flag.lstrip('-')}" if action_name == _BOTH_WAYS else "",
            is_any_text_true=kind == "bool",
        )


def _kind_of(default: JsonValue) -> str:
    return type(default).__name__ if isinstance(default, bool | int | float | str) else ""


def _click(tree: ast.Module, constants: Mapping[str, JsonValue]) -> Iterator[Argument]:
    for node in ast.walk(tree):
        for call in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if not isinstance(call, ast.Call) or _name(call.func) != "option" or not call.args:
                continue
            words, given = [_value(word, constants) for word in call.args], _keywords(call)
            names, flag = [word for word in words if isinstance(word, str)], _long_flag(words)
            on, _, off = flag.partition("/")
            own = next((name for name in names if name.isidentifier()), on.lstrip("-").replace("-", "_"))
            declared = given.get("type")
            choices = _value(declared.args[0], constants) if isinstance(declared, ast.Call) and declared.args else None
            default = _value(given.get("default"), constants)
            is_flag = bool(off) or _value(given.get("is_flag"), constants) is True
            kind = _name(declared).lower()
            yield Argument(
                path=own,
                flag=on,
                kind="bool" if is_flag else kind if kind in _KINDS else _kind_of(default),
                default=bool(default) if is_flag else _typed(kind, default),
                choices=tuple(choices) if isinstance(choices, list) else (),
                text=str(_value(given.get("help"), constants) or ""),
                is_flag=is_flag,
                negative=off if off.startswith("-") else f"--{off}" if off else "",
            )


def _by_signature(tree: ast.Module, constants: Mapping[str, JsonValue]) -> tuple[str, tuple[Argument, ...]]:
    """Return the arguments that functions, classes or dataclasses declare, by who reads them."""
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for function in functions.values():
        if any("command" in ast.unparse(decorator) for decorator in function.decorator_list):
            return "typer", tuple(_parameters(function, constants, dash="-"))
    for call in _calls(tree):
        library, found = _read_by(call, functions, classes, constants)
        if library:
            return library, tuple(found)
    return "", ()


def _read_by(
    call: ast.Call,
    functions: Mapping[str, ast.FunctionDef],
    classes: Mapping[str, ast.ClassDef],
    constants: Mapping[str, JsonValue],
) -> tuple[str, Iterable[Argument]]:
    """Return the library of a call that reads arguments, and what it reads; an empty name for any other call."""
    owner, name, first = ast.unparse(call.func), _name(call.func), _name(call.args[0]) if call.args else ""
    found: tuple[str, Iterable[Argument]] = "", ()
    if name == "LightningCLI":
        found = "lightning", _lightning(call, classes, constants)
    elif name == "HfArgumentParser" and call.args:
        listed = call.args[0].elts if isinstance(call.args[0], ast.Tuple | ast.List) else [call.args[0]]
        own = [classes[_name(item)] for item in listed if _name(item) in classes]
        found = "HfArgumentParser", (argument for item in own for argument in _fields(item, constants))
    elif owner == "typer.run" and first in functions:
        found = "typer", _parameters(functions[first], constants, dash="-")
    elif name in {"CLI", "auto_cli"} and first in functions:
        found = "jsonargparse", _parameters(functions[first], constants, dash="_")
    elif owner in {"tyro.cli", "simple_parsing.parse"} and first in classes:
        dash = "-" if owner == "tyro.cli" else "_"
        found = owner.partition(".")[0], _fields(classes[first], constants, dash=dash)
    return found


def _parameters(
    function: ast.FunctionDef, constants: Mapping[str, JsonValue], *, dash: str, prefix: str = ""
) -> Iterator[Argument]:
    arguments = function.args
    listed = [argument for argument in arguments.args if argument.arg not in {"self", "cls", "ctx"}]
    defaults = [None] * (len(listed) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(listed, defaults[-len(listed) :] if listed else [], strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for argument, default in pairs:
        made = _annotated(argument.arg, argument.annotation, default, constants)
        flag = f"--{prefix}{argument.arg.replace('_', dash)}"
        # typer has --flag/--no-flag; jsonargparse takes --flag true.
        is_flag = made.kind == "bool" and dash == "-"
        negative = f"--no-{flag.lstrip('-')}" if is_flag else ""
        yield replace(made, path=prefix + made.path, flag=flag, is_flag=is_flag, negative=negative)


def _annotated(
    name: str, annotation: ast.expr | None, default: ast.expr | None, constants: Mapping[str, JsonValue]
) -> Argument:
    """Return an argument of an annotation, with a default that may stand in a call: ``field(default=...)``."""
    text = ""
    for call in (node for part in (annotation, default) if part is not None for node in _calls(part)):
        given = _keywords(call)
        text = text or str(_value(given.get("help"), constants) or "")
        metadata = given.get("metadata")
        for key, written in zip(metadata.keys, metadata.values, strict=True) if isinstance(metadata, ast.Dict) else ():
            text = str(_value(written, constants)) if _value(key, constants) == "help" else text
    if isinstance(default, ast.Call):
        default = _keywords(default).get("default", default.args[0] if default.args else None)
    value = _value(default, constants)
    words = [node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)] if annotation is not None else []
    kind = next((word for word in words if word in _KINDS), _kind_of(value))
    options: tuple[JsonValue, ...] = ()
    if isinstance(annotation, ast.Subscript) and _name(annotation.value) == "Literal":
        listed = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        options = tuple(_value(item, constants) for item in listed)
        kind = _kind_of(options[0]) if options else kind
    return Argument(path=name, kind=kind, default=_typed(kind, value), choices=options, text=text)


def _fields(node: ast.ClassDef, constants: Mapping[str, JsonValue], *, dash: str = "_") -> Iterator[Argument]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            made = _annotated(item.target.id, item.annotation, item.value, constants)
            yield replace(made, flag=f"--{item.target.id.replace('_', dash)}")


def _lightning(
    call: ast.Call, classes: Mapping[str, ast.ClassDef], constants: Mapping[str, JsonValue]
) -> Iterator[Argument]:
    """Yield the parameters of the classes that `LightningCLI` is given, and are in the same files."""
    given = _keywords(call)
    positional = dict(zip(("model_class", "datamodule_class"), call.args, strict=False))
    for key, block in (("model_class", "model"), ("datamodule_class", "data")):
        owner = classes.get(_name(given.get(key, positional.get(key))))
        for item in owner.body if owner is not None else ():
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                yield from _parameters(item, constants, dash="_", prefix=f"{block}.")
