"""Decide whether to search or to train once.

One pure function over a decision table. The policy is an argument of a run: it is never written into a spec and never
changes a skill.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from automl.errors import ConfigurationError, Problem

Policy: TypeAlias = Literal["on", "off"]


class Route(StrEnum):
    """What the policy decided."""

    TUNE = "tune"
    TRAIN_ONCE = "train_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDecision:
    """The route and why.

    Attributes:
        route: Tune, or train once.
        reasons: Every reason, most important first; shown in plan, run and record.
        warnings: What the user may not expect.
    """

    route: Route
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillFacts:
    """What the decision needs to know of a skill and of the space built for it.

    Attributes:
        action: The action that is run.
        is_enabled: The skill's ``automl_enabled``; missing counts as False.
        schema: Whether the action's schema is ``valid``, ``missing`` or ``unreadable``.
        schema_file: The file, or where it was expected.
        has_template: The skill has a spec template, or the user gave a spec.
        space_is_empty: Nothing is left to search; None while no space was built.
        left_out: For an empty space: ``path: reason`` of what was left out.
        candidates: For an empty space: what ``--search`` could name.
    """

    action: str = "train"
    is_enabled: bool
    schema: Literal["valid", "missing", "unreadable"]
    schema_file: str = ""
    has_template: bool
    space_is_empty: bool | None = None
    left_out: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


_TRAINING = {"train", "distill", "retrain"}
_ON_REQUEST = {"prune", "quantize"}


def parse_policy(value: str | bool | None) -> Policy | None:  # noqa: FBT001 # YAML reads on and off as booleans
    """Read a policy: ``on``, ``off``, the older ``auto`` (which is ``on``), YAML's booleans; None for none.

    Raises:
        ConfigurationError: it is anything else.
    """
    if value is None:
        return None
    text = str(value).strip().lower()
    if text in {"on", "auto", "true", "yes"}:
        return "on"
    if text in {"off", "false", "no"}:
        return "off"
    problem = Problem(where="--policy", found=repr(value), expected="on or off", fix="use --policy on or --policy off")
    raise ConfigurationError.from_problems([problem], subject="the policy")


def decide(
    *, requested: Policy | None, off_phrase: str | None, facts: SkillFacts, allow_fallback: bool = False
) -> PolicyDecision:
    """Decide the route.

    Args:
        requested: The explicit policy; None where the user gave none: ``on``, with a fallback in place of errors.
        off_phrase: The part of the user's request in plain text that asks for one training, if any.
        facts: The skill and its space.
        allow_fallback: ``--fallback train-once``: where an explicit ``on`` cannot search, train once.

    Raises:
        ConfigurationError: there is nothing to build a spec from, or an explicit ``on`` cannot be done.
    """
    if not facts.has_template and facts.schema != "valid":
        found = f"no spec template, and a {facts.schema} schema"
        raise _refusal(facts, found, "a template", "give a spec file with --spec")
    notes = [] if facts.has_template else ["no spec template: the spec is made of the schema's own defaults"]
    if requested == "off":
        return _once("--policy off", *notes)
    if not _is_searched(facts.action, requested):
        return _once(f"{facts.action} is not a training action, only those are searched", *notes)
    if off_phrase is not None and requested is None:
        return _once(f'the request says "{off_phrase}"', *notes)
    warnings = (f'--policy on wins over "{off_phrase}" in the request',) if off_phrase is not None else ()
    if not facts.is_enabled:
        loud = ("--policy on has no effect: automl_enabled is not true in skill_info.yaml",) if requested else ()
        return _once("the skill is not AutoML-enabled", *notes, warnings=(*warnings, *loud))
    obstacle = _obstacle(facts)
    if obstacle is None:
        source = "--policy on" if requested == "on" else "policy on (the default)"
        reasons = (f"{source}: the skill is AutoML-enabled and its train schema is valid", *notes)
        return PolicyDecision(route=Route.TUNE, reasons=reasons, warnings=warnings)
    if requested == "on" and not allow_fallback:
        raise _refusal(facts, *obstacle)
    return _once(obstacle[0], *notes, warnings=warnings)


def _is_searched(action: str, requested: Policy | None) -> bool:
    is_training = action in _TRAINING or action.endswith(("_train", "_hpo"))
    return is_training or (action in _ON_REQUEST and requested == "on")


def _obstacle(facts: SkillFacts) -> tuple[str, str, str] | None:
    """Return why an enabled skill cannot be searched, what is expected and what to do; None if it can be."""
    if facts.schema != "valid":
        reason = f"enabled but not runnable: {facts.schema_file or 'train schema'} is {facts.schema}"
        return reason, "a valid train schema", "correct the schema, or accept one training with --fallback train-once"
    if facts.space_is_empty:
        reason = f"nothing to search: {'; '.join(facts.left_out) or 'the schema marks nothing'}"
        candidates = ", ".join(facts.candidates) or "a parameter of the schema"
        return reason, "at least one parameter", f"name one with --search, e.g. {candidates}"
    return None


def _once(*reasons: str, warnings: tuple[str, ...] = ()) -> PolicyDecision:
    return PolicyDecision(route=Route.TRAIN_ONCE, reasons=reasons, warnings=warnings)


def _refusal(facts: SkillFacts, found: str, expected: str, fix: str) -> ConfigurationError:
    where = facts.schema_file or f"skill: {facts.action}"
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the policy")
