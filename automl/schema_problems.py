"""What is wrong with a document by a JSON Schema, in words: where, found, expected, fix."""

from __future__ import annotations

import difflib
import json
import math
from itertools import islice
from typing import TYPE_CHECKING, Any

from automl.config_files import read_document
from automl.errors import Problem, options_text
from automl.resources import packaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.config_files import JsonValue

_MOST_PROBLEMS = 200


def schema_problems(document: JsonValue, schema: str, *, where: str) -> list[Problem]:
    """Compare a document with one of our JSON Schemas, e.g. ``architecture``; return all problems, or the first 200.

    An integer is written without a point, unlike JSON Schema has it, and a number is finite: else what reads it fails.
    """
    rules: Any = read_document(packaged("schemas") / f"{schema}.schema.json")
    source = "what `automl schema --stdout` prints" if schema == "study" else f"schemas/{schema}.schema.json"
    return problems_by(rules, document, where=where, source=source)


def problems_by(rules: dict[str, Any], document: JsonValue, *, where: str, source: str) -> list[Problem]:
    """Compare a document with a JSON Schema, as `schema_problems` does; ``source`` is where a user can read it."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 # 0.3 s that `automl --help` need not pay

    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_finite})
    extend: Any = validators.extend  # without types
    validator = extend(Draft202012Validator, type_checker=types)(
        rules, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    errors = list(islice(validator.iter_errors(document), _MOST_PROBLEMS))
    errors.sort(key=lambda error: list(map(str, error.absolute_path)))
    problems = [problem for error in errors for problem in _of_schema(error, source, where)]
    if len(errors) < _MOST_PROBLEMS and len(problems) <= _MOST_PROBLEMS:
        return problems
    found = f"more than these {_MOST_PROBLEMS} problems"
    more = Problem(where=where, found=found, expected="a document that fits its schema", fix="fix these, and try again")
    return [*problems[:_MOST_PROBLEMS], more]


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(_: object, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _of_schema(error: Any, source: str, where: str) -> Iterator[Problem]:  # noqa: ANN401 # jsonschema's error
    if error.validator in {"oneOf", "anyOf"} and (inner := _of_meant_branch(error)):
        yield from (problem for inside in inner for problem in _of_schema(inside, source, where))
        return
    keys = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.absolute_path)
    place = "".join(keys).removeprefix(".")
    if error.validator == "additionalProperties" and error.validator_value is False:
        known = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(known)):
            close = difflib.get_close_matches(key, known, n=1)
            blocks = (name for name, one in error.schema.get("properties", {}).items() if key in _keys_of(one))
            fix = next((f"write it below {block}" for block in blocks), "remove it")
            yield Problem(
                where=f"{where}: {f'{place}.{key}' if place else key}",
                found="an unknown key",
                expected=f"one of: {options_text(known, width=1000, noun='key')}",
                fix=f"did you mean {close[0]}?" if close and fix == "remove it" else fix,
            )
        return
    yield Problem(
        where=f"{where}: {place or '(root)'}",
        found=json.dumps(error.instance, default=str)[:80],
        expected=_expected_by(error.schema, error) or "what its schema describes",
        fix=f"see `{place or 'properties'}` in {source}",
    )


def _keys_of(schema: object) -> set[str]:
    """Return the keys of the mapping that a schema describes; none for anything else."""
    found = schema.get("properties") if isinstance(schema, dict) else None
    return {*found} if isinstance(found, dict) else set()


def _of_meant_branch(error: Any) -> list[Any]:  # noqa: ANN401 # jsonschema's error
    """Return what is wrong by the one branch of a schema that is of the value's type; nothing where that is not one."""
    branches: dict[Any, list[Any]] = {}
    for inside in error.context:
        branches.setdefault(inside.schema_path[0], []).append(inside)
    meant = [found for found in branches.values() if all(e.validator != "type" or e.path for e in found)]
    return meant[0] if len(meant) == 1 and len(branches) > 1 else []


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
_BOUNDS = {
    "minimum": "of at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "of at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "of at least {} character",
    "minItems": "with at least {} entry",
    "minProperties": "with at least {} key",
    "pattern": "that matches {}",
}


def _expected_by(rules: Any, error: Any = None) -> str:  # noqa: ANN401 # a JSON Schema, jsonschema's error
    """Return what a schema accepts, in words; empty where it uses a keyword that has none here."""
    if error is not None and error.validator == "required":
        return f"the key {', '.join(key for key in error.validator_value if key not in error.instance)}"
    if "enum" in rules:
        return f"one of {options_text(value for value in rules['enum'] if not isinstance(value, bool))}"
    if branches := rules.get("oneOf", rules.get("anyOf")):
        described = rules.get("description", "")
        listed = ", or ".join(filter(None, map(_expected_by, branches)))
        return str(described.removesuffix(".").lower()) if "such as" in described else listed
    if "$ref" in rules or ("required" in rules and "type" not in rules):
        return "a schema of its own" if "$ref" in rules else f"the key {', '.join(rules['required'])}"
    types = rules.get("type", ())
    kind = " or ".join(_TYPES[name] for name in ([types] if isinstance(types, str) else types))
    both = ("minimum", "maximum") if rules.keys() >= {"minimum", "maximum"} else ()
    bounds = [f"from {rules['minimum']:,} to {rules['maximum']:,}"] if both else []
    bounds += [words.format(rules[key]) for key, words in _BOUNDS.items() if key in rules and key not in both]
    items = rules.get("items", {}).get("type") if isinstance(rules.get("items"), dict) else None
    inner = f" of {_TYPES[items]}" if isinstance(items, str) and items in {"string", "number", "integer"} else ""
    return f"{kind}{inner} {' and '.join(bounds)}".strip() if kind else ""
