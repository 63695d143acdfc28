"""What a script declares of its arguments, read from its source: argparse, click, typer, dataclasses, Lightning's CLI.

Nothing is imported and nothing is run. A default that is no constant of the file is unknown.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.skill.program import Argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automl.config_files import JsonValue

_KINDS = frozenset({"float", "int", "str", "bool"})
_FLAG_ACTIONS = {"store_true": False, "store_false": True}
_BOTH_WAYS = "BooleanOptionalAction"
LIGHTNING, JSONARGPARSE = "lightning", "jsonargparse"
_OF_PARSERS = frozenset({"add_class_arguments", "add_dataclass_arguments", "add_function_arguments"})


def read_arguments(tree: ast.Module, beside: Sequence[ast.Module] = ()) -> tuple[str, tuple[Argument, ...]]:
    """Return the library that reads the arguments, and the arguments; an empty name where none is recognised.

    Functions and classes that are named to a library may stand in the modules ``beside`` the script.
    """
    constants = _constants(tree)
    found = tuple(_argparse(tree, constants))
    if found:
        return "argparse", found
    found = tuple(_click(tree, constants))
    if found:
        return "click", found
    return _by_signature(tree, _Declared.of(tree, beside))


def needs_subcommand(tree: ast.Module) -> bool:
    """Return whether a script calls a `LightningCLI` that wants ``fit`` behind its name."""
    declared = _Declared.of(tree, ())
    return any(declared.is_lightning_cli(call) and not _is_off(_keywords(call).get("run")) for call in _calls(tree))


def _is_off(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@dataclass(frozen=True, slots=True)
class _Declared:
    """The functions, classes and plain constants of a script and the modules beside it."""

    functions: Mapping[str, ast.FunctionDef]
    classes: Mapping[str, ast.ClassDef]
    constants: Mapping[str, JsonValue]

    @classmethod
    def of(cls, tree: ast.Module, beside: Sequence[ast.Module]) -> _Declared:
        functions: dict[str, ast.FunctionDef] = {}
        classes: dict[str, ast.ClassDef] = {}
        constants: dict[str, JsonValue] = {}
        for one in (*beside, tree):  # the script's own names win
            functions |= {node.name: node for node in ast.walk(one) if isinstance(node, ast.FunctionDef)}
            classes |= {node.name: node for node in ast.walk(one) if isinstance(node, ast.ClassDef)}
            constants |= _constants(one)
        return cls(functions, classes, constants)

    def with_bases(self, name: str) -> list[ast.ClassDef]:
        """Return a class and those of its bases that are known, itself first."""
        found: list[ast.ClassDef] = []
        pending = [name]
        while pending:
            node = self.classes.get(pending.pop(0))
            if node is not None and node not in found:
                found.append(node)
                pending += map(_name, node.bases)
        return found

    def is_lightning_cli(self, call: ast.Call) -> bool:
        name = _name(call.func)
        return name == "LightningCLI" or any(
            _name(base) == "LightningCLI" for node in self.with_bases(name) for base in node.bases
        )


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


def _by_signature(tree: ast.Module, declared: _Declared) -> tuple[str, tuple[Argument, ...]]:
    """Return the arguments that functions, classes or dataclasses declare, by who reads them."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if any("command" in ast.unparse(decorator) for decorator in function.decorator_list):
            return "typer", tuple(_parameters(function, declared.constants, dash="-"))
    calls = list(_calls(tree))
    found = [(library, tuple(read)) for library, read in (_read_by(call, declared) for call in calls) if library]
    if not found:
        return "", ()
    linked = {_value(call.args[1], {}) for call in calls if _name(call.func) == "link_arguments" and len(call.args) > 1}
    # A parser is given its classes in several calls; a linked argument is computed and cannot be given.
    listed = [argument for library, read in found if library == found[0][0] for argument in read]
    return found[0][0], tuple(argument for argument in listed if argument.path not in linked)


def _read_by(call: ast.Call, declared: _Declared) -> tuple[str, Iterable[Argument]]:
    """Return the library of a call that reads arguments, and what it reads; an empty name for any other call."""
    owner, name, first = ast.unparse(call.func), _name(call.func), _name(call.args[0]) if call.args else ""
    found: tuple[str, Iterable[Argument]] = "", ()
    if declared.is_lightning_cli(call):
        found = LIGHTNING, _lightning(call, declared)
    elif name == "HfArgumentParser" and call.args:
        listed = call.args[0].elts if isinstance(call.args[0], ast.Tuple | ast.List) else [call.args[0]]
        found = name, (argument for item in listed for argument in _fields(_name(item), declared))
    elif owner == "typer.run" and first in declared.functions:
        found = "typer", _parameters(declared.functions[first], declared.constants, dash="-")
    elif name in {"CLI", "auto_cli", *_OF_PARSERS} and first:
        nested = _value(call.args[1], declared.constants) if name in _OF_PARSERS and len(call.args) > 1 else None
        found = JSONARGPARSE, _taken(first, declared, f"{nested}." if nested else "")
    elif owner in {"tyro.cli", "simple_parsing.parse"} and first in declared.classes:
        found = owner.partition(".")[0], _fields(first, declared, dash="-" if owner == "tyro.cli" else "_")
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


def _fields(name: str, declared: _Declared, *, dash: str = "_", prefix: str = "") -> Iterator[Argument]:
    """Yield the fields of a dataclass, those of its bases first."""
    items = (item for node in reversed(declared.with_bases(name)) for item in node.body)
    found = {i.target.id: i for i in items if isinstance(i, ast.AnnAssign) and isinstance(i.target, ast.Name)}
    for field, item in found.items():
        made = _annotated(field, item.annotation, item.value, declared.constants)
        yield replace(made, path=f"{prefix}{field}", flag=f"--{prefix}{field.replace('_', dash)}")


def _lightning(call: ast.Call, declared: _Declared) -> Iterator[Argument]:
    """Yield the parameters of the classes that `LightningCLI` is given, and are in the same files."""
    given = _keywords(call)
    positional = dict(zip(("model_class", "datamodule_class"), call.args, strict=False))
    for key, block in (("model_class", "model"), ("datamodule_class", "data")):
        yield from _of_class(_name(given.get(key, positional.get(key))), declared, f"{block}.")


def _taken(name: str, declared: _Declared, prefix: str) -> Iterator[Argument]:
    function = declared.functions.get(name)
    if function is not None:
        return _parameters(function, declared.constants, dash="_", prefix=prefix)
    return _of_class(name, declared, prefix)


def _of_class(name: str, declared: _Declared, prefix: str = "") -> Iterator[Argument]:
    """Yield what a class takes: the arguments of `__init__`, its own or inherited, or the fields of a dataclass."""
    with_bases = declared.with_bases(name)
    made = [item for node in with_bases for item in node.body if isinstance(item, ast.FunctionDef)]
    init = next((item for item in made if item.name == "__init__"), None)
    if init is not None:
        yield from _parameters(init, declared.constants, dash="_", prefix=prefix)
    elif any("dataclass" in ast.unparse(mark) for node in with_bases for mark in node.decorator_list):
        yield from _fields(name, declared, prefix=prefix)
