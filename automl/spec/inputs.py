"""Find inputs of an action that are empty or missing, before a run starts.

Slots that the skill declares as files may be folders: public skills declare image folders so. What is checked is that
something is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import Problem
from automl.skill.model import JsonValue, SlotKind
from automl.spec.special import WordKind, word_kind

if TYPE_CHECKING:
    from automl.skill.model import Skill
    from automl.spec.model import Spec

_BLANK: tuple[JsonValue, ...] = (None, "", "???")


def missing_inputs(skill: Skill, action: str, spec: Spec) -> tuple[Problem, ...]:
    """Return a problem for each required input that is empty or missing, and each missing file that the user named."""
    problems = []
    for slot in skill.actions[action].inputs:
        kind, is_pattern = slot.kind.value, slot.kind is SlotKind.LOCAL_GLOB
        values, is_users = _filled(spec, slot.key)
        if not values and not slot.is_optional:
            fix = f"give it with --data, or set {slot.key}"
            problems.append(Problem(where=slot.key, found="nothing", expected=f"a {kind} for {action}", fix=fix))
        elif is_users or not slot.is_optional:
            problems += [
                Problem(
                    where=slot.key,
                    found=f"{value}, which is not there",
                    expected=f"an existing {kind}",
                    fix="check the path",
                )
                for value in values
                if not _is_there(value, is_pattern=is_pattern)
            ]
    return tuple(problems)


def pending_downloads(skill: Skill, action: str, spec: Spec) -> tuple[Problem, ...]:
    """Return a problem for each file that the skill wants to be downloaded and that is not at its destination.

    A value of the user, or one of the template that is there, takes the place of the file.
    """
    found = []
    for path, rule in skill.actions[action].spec_params.items():
        if word_kind(rule) is not WordKind.DOWNLOAD or not isinstance(rule, dict):
            continue
        link, destination = rule["link"], str(rule["destination_path"])
        values, is_users = _filled(spec, path)
        is_given = bool(values) and (is_users or all(_is_there(value) for value in values))
        if not is_given and not Path(destination).is_file():
            effect = f"nor at {values[0]}" if values else "training starts without it"
            found.append(
                Problem(
                    where=path,
                    found=f"no file at {destination}, {effect}",
                    expected="the weights that the skill names",
                    fix=f"download {link} to {destination}, or set {path} to a file of your own",
                )
            )
    return tuple(found)


def _filled(spec: Spec, path: str) -> tuple[list[str], bool]:
    """Return the texts at a path of the spec, and whether they are the user's."""
    value = spec.get(path) if spec.has(path) else None
    values = value if isinstance(value, list) else [value]
    filled = [str(item) for item in values if item not in _BLANK and not isinstance(item, dict | list | bool)]
    return filled, spec.origins.get(path) in {"override", "data"}


def _matches_any(pattern: Path) -> bool:
    fixed = next(parent for parent in pattern.parents if not any(sign in str(parent) for sign in "*?["))
    return any(fixed.glob(str(pattern.relative_to(fixed))))


def _is_there(value: str, *, is_pattern: bool = False) -> bool:
    # Addresses, model ids of a hub and interpolations are resolved by the trainer, not here.
    if "://" in value or "${" in value:
        return True
    try:
        path = Path(value)
        return path.exists() or (is_pattern and _matches_any(path))
    except (OSError, ValueError):
        return False
