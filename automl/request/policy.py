"""Decide whether to search or to train once.

One pure function over a decision table. The policy is an argument of a run: it is never written into a spec and never
changes a skill.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from automl.errors import ConfigurationError, Problem
from automl.shown_command import shown

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
        is_program: It is a program that no skill describes.
        is_enabled: The skill's ``automl_enabled``; missing counts as False.
        schema: Whether the action's schema is ``valid``, ``missing`` or ``unreadable``.
        schema_file: The file, or where it was expected.
        schema_problem: Why an unreadable one cannot be read.
        has_template: The skill has a spec template, or the user gave a spec.
        template_file: Where the template was expected.
        has_ranges: The user gave the ranges of everything that is searched; they stand for schema and template.
        space_is_empty: Nothing is left to search; None while no space was built.
        left_out: For an empty space: ``path: reason`` of what was left out.
        candidates: For an empty space: what ``--search`` could name.
    """

    action: str = "train"
    is_program: bool = False
    is_enabled: bool
    schema: Literal["valid", "missing", "unreadable"]
    schema_file: str = ""
    schema_problem: str = ""
    has_template: bool
    template_file: str = ""
    has_ranges: bool = False
    space_is_empty: bool | None = None
    left_out: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()

    @property
    def not_there(self) -> tuple[str, ...]:
        """The files that a search needs and that cannot be used."""
        why = f": {self.schema_problem}" if self.schema_problem else ""
        schema = f"{self.schema_file} (it cannot be read{why})" if self.schema == "unreadable" else self.schema_file
        needed = ((self.schema == "valid", schema), (self.has_template, self.template_file))
        return tuple(file for is_there, file in needed if not is_there)


_TRAINING = {"train", "distill", "retrain"}
_ON_REQUEST = {"prune", "quantize"}
_EMPTY = "nothing to search: "


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
    *, requested: Policy | None, off_phrase: str | None, facts: SkillFacts, must_search: bool = False
) -> PolicyDecision:
    """Decide the route.

    Args:
        requested: The explicit policy; None where the user gave none: ``on``, and an empty space is no error.
        off_phrase: The part of the user's request in plain text that asks for one training, if any.
        facts: The skill and its space.
        must_search: ``--require-search``: to train once is an error.

    Raises:
        ConfigurationError: there is nothing to build a spec from, an explicit ``on`` finds nothing to search, or a
            search is required and something is against it.
    """
    if not facts.has_template and facts.schema != "valid":
        found = f"no {' and no '.join(facts.not_there)}"
        raise _refusal(facts, found, "a spec template, or a schema with defaults", "give a spec file with --spec")
    decision = _decide(requested, off_phrase, facts)
    if must_search and decision.route is Route.TRAIN_ONCE:
        found, fix = _obstacle(requested, off_phrase, facts)
        problem = Problem(where="--require-search", found=found, expected="a search", fix=fix)
        raise ConfigurationError.from_problems([problem], subject="the policy")
    return decision


def _decide(requested: Policy | None, off_phrase: str | None, facts: SkillFacts) -> PolicyDecision:
    notes = () if facts.has_template else ("no spec template: the spec is made of the schema's own defaults",)
    warnings: tuple[str, ...] = ()
    if requested == "on" and off_phrase is not None:
        warnings = (f'--policy on wins over "{off_phrase}" in the request',)
    if requested == "on" and not facts.is_enabled:
        warnings += ("--policy on has no effect: automl_enabled is not true in skill_info.yaml",)
    obstacle, _ = _obstacle(requested, off_phrase, facts)
    if not obstacle:
        source = "--policy on" if requested == "on" else "policy on (the default)"
        space = "you gave the ranges" if facts.not_there else "its train schema is valid"
        enabled = "" if facts.is_program else "the skill is AutoML-enabled and "
        reasons = (f"{source}: {enabled}{space}", *notes)
        return PolicyDecision(route=Route.TUNE, reasons=reasons, warnings=warnings)
    if requested == "on" and obstacle.startswith(_EMPTY):
        raise _refusal(facts, obstacle, "at least one parameter", _with_search(facts))
    return PolicyDecision(route=Route.TRAIN_ONCE, reasons=(obstacle, *notes), warnings=warnings)


def _obstacle(requested: Policy | None, off_phrase: str | None, facts: SkillFacts) -> tuple[str, str]:
    """Return what decides for one training, and what a search needs instead; both empty where it can be done."""
    files = " and ".join(facts.not_there)
    are = "is" if len(facts.not_there) == 1 else "are"
    missing = f"AutoML is enabled but not runnable for this model until {files} {are} generated"
    is_training = _is_searched(facts.action, requested)
    against = (
        (requested == "off", "--policy off", "leave one of the two out"),
        (not is_training, f"{facts.action} is not a training action, only those are searched", "search a training"),
        (off_phrase is not None and requested is None, f'the request says "{off_phrase}"', "use --policy on"),
        (not facts.is_enabled, "the skill is not AutoML-enabled", "set automl_enabled: true in its skill_info.yaml"),
        (bool(files) and not facts.has_ranges, missing, f"generate {files}"),
        (
            bool(facts.space_is_empty),
            f"{_EMPTY}{'; '.join(facts.left_out) or 'the schema marks nothing'}",
            _with_search(facts),
        ),
    )
    return next(((reason, fix) for holds, reason, fix in against if holds), ("", ""))


def _with_search(facts: SkillFacts) -> str:
    return f"name one with --search, e.g. {', '.join(map(shown, facts.candidates)) or 'a parameter of the schema'}"


def _is_searched(action: str, requested: Policy | None) -> bool:
    is_training = action in _TRAINING or action.endswith(("_train", "_hpo"))
    return is_training or (action in _ON_REQUEST and requested == "on")


def _refusal(facts: SkillFacts, found: str, expected: str, fix: str) -> ConfigurationError:
    where = facts.schema_file or f"skill: {facts.action}"
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the policy")
