"""Find inputs of an action that are empty or missing, before a run starts.

Slots that the skill declares as files may be folders: public skills declare image folders so. What is checked is that
something is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import Problem
from automl.skill.model import FileSlot, JsonValue, SlotKind
from automl.spec.special import WordKind, word_kind

if TYPE_CHECKING:
    from automl.skill.model import Skill, SkillAction
    from automl.spec.model import Spec

_BLANK: tuple[JsonValue, ...] = (None, "", "???")


def missing_inputs(skill: Skill, action: str, spec: Spec) -> tuple[Problem, ...]:
    """Return a problem for each required input that is empty or missing, and each missing file that the user named."""
    found = []
    for slot in skill.actions[action].inputs:
        is_users = spec.origins.get(slot.key) in {"override", "data"}
        values = _filled(spec.get(slot.key)) if spec.has(slot.key) else []
        if not values and not slot.is_optional:
            found.append(_empty(skill.actions[action], slot))
        elif values and (is_users or not slot.is_optional):
            is_pattern = slot.kind is SlotKind.LOCAL_GLOB
            found += [_absent(slot, value) for value in values if not _is_there(value, is_pattern=is_pattern)]
    return tuple(found)


def pending_downloads(skill: Skill, action: str, spec: Spec) -> tuple[Problem, ...]:
    """Return a problem for each file that the skill wants to be downloaded and that is not at its destination.

    A value of the user, or one of the template that is there, takes the place of the file.
    """
    found = []
    for path, rule in skill.actions[action].spec_params.items():
        if word_kind(rule) is not WordKind.DOWNLOAD or not isinstance(rule, dict):
            continue
        link, destination = rule["link"], str(rule["destination_path"])
        values = _filled(spec.get(path)) if spec.has(path) else []
        is_users = spec.origins.get(path) in {"override", "data"}
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


def _filled(value: JsonValue) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item) for item in values if item not in _BLANK and not isinstance(item, dict | list | bool)]


def _is_there(value: str, *, is_pattern: bool = False) -> bool:
    # Addresses, model ids of a hub and interpolations are resolved by the trainer, not here.
    if "://" in value or "${" in value:
        return True
    try:
        path = Path(value)
        return any(path.parent.glob(path.name)) if is_pattern else path.exists()
    except (OSError, ValueError):
        return False


def _empty(action: SkillAction, slot: FileSlot) -> Problem:
    return Problem(
        where=slot.key,
        found="nothing",
        expected=f"a {slot.kind.value} for {action.name}",
        fix=f"give it with --data, or set {slot.key}",
    )


def _absent(slot: FileSlot, value: str) -> Problem:
    return Problem(
        where=slot.key,
        found=f"{value}, which is not there",
        expected=f"an existing {slot.kind.value}",
        fix="check the path",
    )
