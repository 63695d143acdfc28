"""The options of a study: their names, and the values accepted for those of its trials.

Without this check a misspelt option would be ignored.
"""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING

from automl.errors import Problem
from automl.request.counts import MOST, is_count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from automl.skill.model import JsonValue

    Accepts = Callable[[JsonValue], bool]


def check_options(options: Mapping[str, JsonValue], others: Collection[str]) -> list[Problem]:
    """Return a problem for every unknown option and for every value of a trial's option that cannot be used.

    Args:
        options: Those of the user.
        others: Names that sampler and scheduler read and check themselves.
    """
    known = sorted({*_ACCEPTED, *others})
    problems = []
    for name, value in options.items():
        is_accepted, expected = _ACCEPTED.get(name, (None, ""))
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            found, expected = "an unknown option", f"one of {', '.join(known)}"
            fix = f"did you mean {near[0]}?" if near else "remove it"
        elif is_accepted is not None and not is_accepted(value):
            found, fix = repr(value), f"correct {name} or leave it out"
        else:
            continue
        problems.append(Problem(where=f"options.{name}", found=found, expected=expected, fix=fix))
    return problems


def _is_limit(value: JsonValue) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0  # type: ignore[arg-type,operator] # is_number


_LIMIT: tuple[Accepts, str] = (_is_limit, "a number of seconds above 0")
_ACCEPTED: dict[str, tuple[Accepts, str]] = {
    "silence_limit_s": _LIMIT,
    "trial_time_limit_s": _LIMIT,
    "evaluate_limit_s": _LIMIT,
    "explosion": (lambda value: isinstance(value, bool), "true or false"),
    "keep_checkpoints": (lambda value: value == "all", "all"),
    "replicate_seeds": (
        lambda value: is_count(value, "replicate_seeds"),
        f"a number from 1 to {MOST['replicate_seeds']:,}",
    ),
}
