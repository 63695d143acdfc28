"""What a script declares of its arguments, read from its source.

By argparse, click, typer, absl, Fire, tyro, dataclasses or Lightning's CLI. Nothing is imported and nothing is run. A
default that is no constant of the file is unknown.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.program.constants import (
    KINDS,
    as_declared,
    calls_of,
    constants_of,
    is_none,
    keywords_of,
    kind_of,
    limits_of,
    name_of,
    subcommand_of,
    value_of,
)
from automl.program.options import absl_options, argparse_options, click_options
from automl.program.training_arguments import with_training_arguments
from automl.skill.program import Argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automl.config_files import JsonValue

LIGHTNING, JSONARGPARSE, TRANSFORMERS = "lightning", "jsonargparse", "HfArgumentParser"
_PLACED = "(placed)"
"""In place of a flag, of what is given by its place."""
_OF_PARSERS = frozenset({"add_class_arguments", "add_dataclass_arguments", "add_function_arguments"})


def read_arguments(trees: Sequence[ast.Module]) -> tuple[str, tuple[Argument, ...]]:
    """Return the library that reads the arguments, and the arguments; an empty name where none is recognised.

    The first source that declares arguments counts. Functions and classes that it names may stand in the others.
    """
    parts = [_Declared.of(tree) for tree in trees]
    known: tuple[str, tuple[Argument, ...]] = ("", ())
    for tree, part in zip(trees, parts, strict=True):
        found = _arguments_of(tree, functools.reduce(_Declared.over, reversed(parts), part))
        if found[1]:
            return found
        known = known if known[0] else found
    return known


def _arguments_of(tree: ast.Module, declared: _Declared) -> tuple[str, tuple[Argument, ...]]:
    constants = constants_of(tree)
    found = tuple(argparse_options(tree, constants))
    if found:
        return "argparse", found
    for library, reader in (("click", click_options), ("absl", absl_options)):
        found = tuple(reader(tree, constants))
        if found:
            return library, found
    return _by_signature(tree, declared)


def needs_subcommand(tree: ast.Module) -> bool:
    """Return whether a script calls a `LightningCLI` that wants ``fit`` behind its name."""
    declared = _Declared.of(tree)
    return any(declared.is_lightning_cli(call) and not _is_off(keywords_of(call).get("run")) for call in calls_of(tree))


def _is_off(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@dataclass(frozen=True, slots=True)
class _Declared:
    """The functions, classes and plain constants of a source and of those beside it."""

    functions: Mapping[str, ast.FunctionDef]
    classes: Mapping[str, ast.ClassDef]
    constants: Mapping[str, JsonValue]
    enums: Mapping[str, tuple[JsonValue, ...]]

    @classmethod
    def of(cls, tree: ast.Module) -> _Declared:
        functions, classes, constants = {}, {}, constants_of(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                classes[node.name] = node
        enums: dict[str, tuple[JsonValue, ...]] = {}
        for name, one in classes.items():
            if any("Enum" in name_of(base) for base in one.bases):
                assigned = [m for m in one.body if isinstance(m, ast.Assign)]
                members = {name_of(m.targets[0]): value_of(m.value, {}) for m in assigned}
                enums[name] = tuple(members.values())
                constants |= {f"{name}.{member}": value for member, value in members.items()}
        return cls(functions, classes, constants, enums)

    def over(self, other: _Declared) -> _Declared:
        """Return what both declare; where they differ this one counts."""
        pairs = ((getattr(other, name), getattr(self, name)) for name in ("functions", "classes", "constants", "enums"))
        return _Declared(*({**below, **above} for below, above in pairs))

    def with_bases(self, name: str) -> list[ast.ClassDef]:
        """Return a class and those of its bases that are known, itself first."""
        found: list[ast.ClassDef] = []
        pending = [name]
        while pending:
            node = self.classes.get(pending.pop(0))
            if node is not None and node not in found:
                found.append(node)
                pending += map(name_of, node.bases)
        return found

    def is_lightning_cli(self, call: ast.Call) -> bool:
        name = name_of(call.func)
        return name == "LightningCLI" or any(
            name_of(base) == "LightningCLI" for node in self.with_bases(name) for base in node.bases
        )


def _by_signature(tree: ast.Module, declared: _Declared) -> tuple[str, tuple[Argument, ...]]:
    """Return the arguments that functions, classes or dataclasses declare, by who reads them."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    commands = {function.name: word for function in functions if (word := subcommand_of(function, {}, group="click"))}
    if commands:
        words = commands if len(commands) > 1 else {}  # the only command of an app is the app
        made = [(f.name, one) for f in functions if f.name in commands for one in _parameters(f, declared, dash="-")]
        return "typer", tuple(replace(one, subcommand=words.get(name, "")) for name, one in made)
    calls = list(calls_of(tree))
    found = [(library, tuple(read)) for library, read in (_read_by(call, declared) for call in calls) if library]
    if not found:
        return "", ()
    linked = {
        value_of(call.args[1], {}) for call in calls if name_of(call.func) == "link_arguments" and len(call.args) > 1
    }
    # A parser is given its classes in several calls; a linked argument is computed and cannot be given.
    listed = [argument for library, read in found if library == found[0][0] for argument in read]
    return found[0][0], tuple(argument for argument in listed if argument.path not in linked)


def _read_by(call: ast.Call, declared: _Declared) -> tuple[str, Iterable[Argument]]:
    """Return the library of a call that reads arguments, and what it reads; an empty name for any other call."""
    owner, name, first = ast.unparse(call.func), name_of(call.func), name_of(call.args[0]) if call.args else ""
    found: tuple[str, Iterable[Argument]] = "", ()
    if declared.is_lightning_cli(call):
        found = LIGHTNING, _lightning(call, declared)
    elif name == TRANSFORMERS and call.args:
        listed = call.args[0].elts if isinstance(call.args[0], ast.Tuple | ast.List) else [call.args[0]]
        found = name, _of_transformers([name_of(item) for item in listed], declared)
    elif owner in {"typer.run", "tyro.cli"} and first in declared.functions:
        found = owner.partition(".")[0], _parameters(declared.functions[first], declared, dash="-")
    elif owner == "fire.Fire" and first in declared.functions:
        found = "fire", _parameters(declared.functions[first], declared, dash="_")
    elif name in {"CLI", "auto_cli", *_OF_PARSERS} and first:
        nested = value_of(call.args[1], declared.constants) if name in _OF_PARSERS and len(call.args) > 1 else None
        found = JSONARGPARSE, _taken(first, declared, f"{nested}." if nested else "")
    elif owner in {"tyro.cli", "simple_parsing.parse"} and first in declared.classes:
        found = owner.partition(".")[0], _fields(first, declared, dash="-" if owner == "tyro.cli" else "_")
    return found


def _parameters(function: ast.FunctionDef, declared: _Declared, *, dash: str, prefix: str = "") -> Iterator[Argument]:
    arguments = function.args
    listed = [argument for argument in arguments.args if argument.arg not in {"self", "cls", "ctx"}]
    defaults = [None] * (len(listed) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(listed, defaults[-len(listed) :] if listed else [], strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for argument, default in pairs:
        made = _annotated(argument.arg, argument.annotation, default, declared)
        flag = f"--{prefix}{argument.arg.replace('_', dash)}"
        # typer has --flag/--no-flag; jsonargparse takes --flag true.
        is_flag = made.kind == "bool" and dash == "-"
        negative = f"--no-{flag.lstrip('-')}" if is_flag else ""
        # typer's parameters without a default, and those of `Argument`, are given by their place.
        is_placed = dash == "-" and (default is None or made.flag == _PLACED)
        flag = "" if is_placed and not prefix else flag
        yield replace(made, path=prefix + made.path, flag=flag, is_flag=is_flag, negative=negative)


def _annotated(name: str, annotation: ast.expr | None, default: ast.expr | None, declared: _Declared) -> Argument:
    """Return an argument of an annotation, with a default that may stand in a call: ``field(default=...)``."""
    limits: tuple[float | None, float | None] = (None, None)
    text, constants, is_placed = "", declared.constants, False
    is_required = default is None
    for call in (node for part in (annotation, default) if part is not None for node in calls_of(part)):
        given = keywords_of(call)
        limits = limits_of(call, constants) if "Option" in name_of(call.func) else limits
        is_placed |= name_of(call.func) == "Argument"
        text = text or str(value_of(given.get("help"), constants) or "")
        metadata = given.get("metadata")
        for key, written in zip(metadata.keys, metadata.values, strict=True) if isinstance(metadata, ast.Dict) else ():
            text = str(value_of(written, constants)) if value_of(key, constants) == "help" else text
    if isinstance(default, ast.Call):
        is_required = not default.args and not {"default", "default_factory"} & {*keywords_of(default)}
        default = keywords_of(default).get("default", default.args[0] if default.args else None)
    value = value_of(default, constants)
    words = [node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)] if annotation is not None else []
    kind = next((word for word in words if word in KINDS), kind_of(value))
    options: tuple[JsonValue, ...] = ()
    if isinstance(annotation, ast.Subscript) and name_of(annotation.value) == "Literal":
        listed = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        options = tuple(value_of(item, constants) for item in listed)
        kind = kind_of(options[0]) if options else kind
    options = options or next((declared.enums[word] for word in words if word in declared.enums), ())
    return Argument(
        path=name,
        flag=_PLACED if is_placed else "",
        kind=kind or (kind_of(options[0]) if options else ""),
        default=as_declared(kind, value),
        choices=options,
        text=text,
        is_required=is_required or (isinstance(default, ast.Constant) and default.value is ...),
        is_off=is_none(default),
        limits=limits,
    )


def _fields(name: str, declared: _Declared, *, dash: str = "_", prefix: str = "") -> Iterator[Argument]:
    """Yield the fields of a dataclass, those of its bases first."""
    items = (item for node in reversed(declared.with_bases(name)) for item in node.body)
    found = {i.target.id: i for i in items if isinstance(i, ast.AnnAssign) and isinstance(i.target, ast.Name)}
    for field, item in found.items():
        if dash == "-" and name_of(item.annotation) in declared.classes:  # tyro's blocks
            yield from _fields(name_of(item.annotation), declared, dash=dash, prefix=f"{prefix}{field}.")
            continue
        made, word = _annotated(field, item.annotation, item.value, declared), field.replace("_", dash)
        is_flag = made.kind == "bool" and dash == "-"
        negative = f"--{prefix}no-{word}" if is_flag else ""
        yield replace(made, path=f"{prefix}{field}", flag=f"--{prefix}{word}", is_flag=is_flag, negative=negative)


def _of_transformers(names: Sequence[str], declared: _Declared) -> Iterator[Argument]:
    """Yield the fields of the classes that `HfArgumentParser` is given, those of Transformers' own class first."""
    known = [one for name in names for one in with_training_arguments(name, declared.with_bases(name))]
    own = [one for name in names for one in _fields(name, declared)]
    yield from {argument.path: argument for argument in (*known, *own)}.values()


def _lightning(call: ast.Call, declared: _Declared) -> Iterator[Argument]:
    """Yield the parameters of the classes that `LightningCLI` is given, and are in the same files."""
    given = keywords_of(call)
    positional = dict(zip(("model_class", "datamodule_class"), call.args, strict=False))
    for key, block in (("model_class", "model"), ("datamodule_class", "data")):
        yield from _of_class(name_of(given.get(key, positional.get(key))), declared, f"{block}.")


def _taken(name: str, declared: _Declared, prefix: str) -> Iterator[Argument]:
    function = declared.functions.get(name)
    if function is not None:
        return _parameters(function, declared, dash="_", prefix=prefix)
    return _of_class(name, declared, prefix)


def _of_class(name: str, declared: _Declared, prefix: str = "") -> Iterator[Argument]:
    """Yield what a class takes: the arguments of `__init__`, its own or inherited, or the fields of a dataclass."""
    with_bases = declared.with_bases(name)
    made = [item for node in with_bases for item in node.body if isinstance(item, ast.FunctionDef)]
    init = next((item for item in made if item.name == "__init__"), None)
    if init is not None:
        yield from _parameters(init, declared, dash="_", prefix=prefix)
    elif any("dataclass" in ast.unparse(mark) for node in with_bases for mark in node.decorator_list):
        yield from _fields(name, declared, prefix=prefix)
