"""Lay values over a spec, and say which of them do not fit instead of failing at the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.skill.model import JsonValue
    from automl.spec.model import Spec


def lay_over(spec: Spec, values: Mapping[str, JsonValue], origin: str) -> Spec:
    """Return the spec with every value at its path.

    Args:
        spec: What lies below.
        values: Parameter path -> value.
        origin: Name of the layer, for the spec's record of origins and for problems.

    Raises:
        ConfigurationError: a path leads through a value that is neither a mapping nor a list; with every such path.
    """
    try:
        return spec.with_values(values, origin=origin)
    except ValueError:
        problems = [problem for path, value in values.items() if (problem := _misfit(spec, path, value, origin))]
        if not problems:
            # Each path fits by itself and two of them contradict each other.
            problems = [_problem(origin, ", ".join(values), "paths that contradict each other")]
        raise ConfigurationError.from_problems(problems, subject="the spec") from None


def _misfit(spec: Spec, path: str, value: JsonValue, origin: str) -> Problem | None:
    try:
        spec.with_values({path: value}, origin=origin)
    except ValueError as error:
        return _problem(origin, path, str(error))
    return None


def _problem(origin: str, path: str, found: str) -> Problem:
    return Problem(where=f"{origin}: {path}", found=found, expected="a path that fits the spec", fix="mend the path")
