"""Values that a trainer computes from others: ``${eval: '5e-5 * ${dataset.batch_size} / 1024'}``, as a number."""

from __future__ import annotations

import ast
import math
import operator
import re
from typing import TYPE_CHECKING

from automl.skill.fields import is_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.skill.model import JsonValue
    from automl.spec.model import Spec

_EVAL = re.compile(r"\$\{\s*eval\s*:\s*(['\"]?)(?P<text>.*)\1\s*\}", re.DOTALL)
_REFERENCE = re.compile(r"\$\{([\w.\[\]]+)\}")
_MOST_CHARACTERS = 500
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}


def computed_number(value: JsonValue, spec: Spec) -> float | None:
    """Return the number that a trainer will compute, where it is arithmetic on numbers of the spec; else None."""
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS:
        return None
    match = _EVAL.fullmatch(value.strip())
    text = match["text"] if match is not None else value
    references = {name: spec.get(name) if spec.has(name) else None for name in _REFERENCE.findall(text)}
    if not references or not all(is_number(number) for number in references.values()):
        return None
    try:
        number = _value(ast.parse(_REFERENCE.sub(lambda found: repr(references[found[1]]), text), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError):
        return None
    return number if math.isfinite(number) else None


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case _:
            raise ValueError(f"{ast.dump(node)[:60]} is no arithmetic")
