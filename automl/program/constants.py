"""What a source says without being run: plain constants, numbers computed from these, and what calls are given."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.config_files import JsonValue

_ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
KINDS = frozenset({"float", "int", "str", "bool"})
"""Types of arguments whose values can be searched."""
_MOST = 64  # an exponent beyond it is no setting


def constants_of(tree: ast.Module) -> dict[str, JsonValue]:
    """Return the constants at the top of a source, by their names."""
    found: dict[str, JsonValue] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = value_of(node.value, {})
    return found


def value_of(node: ast.expr | None, constants: Mapping[str, JsonValue]) -> JsonValue:
    """Return a plain constant; None for everything else."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.Attribute):  # of an enumeration
        return constants.get(ast.unparse(node))
    if isinstance(node, ast.BinOp):
        return _computed(node, constants)
    try:
        value = ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, bool | int | float | str)]
    return value if isinstance(value, bool | int | float | str) else None


def _computed(node: ast.BinOp, constants: Mapping[str, JsonValue]) -> JsonValue:
    left, right = value_of(node.left, constants), value_of(node.right, constants)
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return None
    try:
        if isinstance(node.op, ast.Pow) and abs(right) <= _MOST and abs(left) <= _MOST:
            value = left**right
            return value if isinstance(value, int | float) else None
        return _ARITHMETIC[type(node.op)](left, right) if type(node.op) in _ARITHMETIC else None
    except (ArithmeticError, ValueError):
        return None


def name_of(node: ast.expr | None) -> str:
    """Return the last name of an expression: ``float``, ``argparse.ArgumentParser``."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def keywords_of(call: ast.Call) -> dict[str, ast.expr]:
    """Return what a call is given by name."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def calls_of(tree: ast.AST) -> Iterator[ast.Call]:
    """Return the calls of a source or of a part of it."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def as_declared(kind: str, default: JsonValue) -> JsonValue:
    """Return a default as the program has it: ``type=float, default=1`` is 1.0."""
    if kind == "float" and isinstance(default, int) and not isinstance(default, bool):
        return float(default)
    return default


def kind_of(default: JsonValue) -> str:
    """Return the name of the type of a default; empty for what is no plain value."""
    return type(default).__name__ if isinstance(default, bool | int | float | str) else ""


def is_none(node: ast.expr | None) -> bool:
    """Return whether a source says None."""
    return isinstance(node, ast.Constant) and node.value is None


def limits_of(call: ast.Call, constants: Mapping[str, JsonValue]) -> tuple[float | None, float | None]:
    """Return the ends that a call declares, by position (`FloatRange(0, 1)`) or by name."""
    given = keywords_of(call)
    if name_of(call.func) in {"FloatRange", "IntRange"}:
        given = dict(zip(("min", "max"), call.args, strict=False)) | given
    low, high = (
        next((value for name in names if _is_number(value := value_of(given.get(name), constants))), None)
        for names in (("min", "lower_bound"), ("max", "upper_bound"))
    )
    return low, high  # type: ignore[return-value]  # numbers, as was asked


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def subcommand_of(function: ast.FunctionDef, constants: Mapping[str, JsonValue], *, group: str) -> str:
    """Return the subcommand that a function is, made by `@cli.command()`; empty for the library's own."""
    for mark in function.decorator_list:
        call = mark if isinstance(mark, ast.Call) else None
        made = call.func if call is not None else mark
        if name_of(made) == "command" and isinstance(made, ast.Attribute) and name_of(made.value) != group:
            given = value_of(call.args[0], constants) if call is not None and call.args else None
            return str(given or function.name.replace("_", "-"))
    return ""
