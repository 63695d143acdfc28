"""When a parameter acts: switches, the optimiser and the schedule it belongs to, and the length of the run.

What decides is looked up along the tree: beside the parameter, in the blocks around it, and in their blocks, so an
optimiser may be named one block up. What is fixed decides once for all trials; what is searched becomes a condition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.architectures.model import matches, named
from automl.errors import options_text
from automl.skill.fields import is_number
from automl.space.conditions import Condition
from automl.spec.train_schema import LeafKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from automl.space.reasons import Facts
    from automl.space.values import Scalar

_SWITCHES = ("enable", "enabled", "is_enabled", "use", "active", "augment", "apply")
_PREFIXES, _SUFFIXES = ("use_", "enable_", "with_", "do_", "apply_"), ("_enable", "_enabled", "_on")
_NEGATIONS = ("no", "not", "without", "disable")
_CHANCES = ("prob", "probability", "p")
_SELECTORS = ("type", "name", "kind", "arch", "mode", "backbone", "optimizer", "scheduler")
# A milestone further away than so many lengths of the run does not count epochs.
_STEPS_FROM = 4


def activity(path: str, facts: Facts, searched: Collection[str]) -> tuple[Condition | None, str]:
    """Tell when a parameter acts, where the values of the searched paths are not fixed.

    Returns:
        The condition on searched parameters, or None; and why the parameter cannot act at all, or an empty text.
    """
    conditions: list[Condition] = []
    for parent, admitted in _parents(path, facts, searched):
        if parent in searched and admitted:
            conditions.append(Condition(path=parent, any_of=admitted))
        elif not facts.spec.has(parent) or facts.spec.get(parent) not in admitted:
            here = facts.spec.get(parent) if facts.spec.has(parent) else None
            only = f", it acts under {options_text(admitted)}" if admitted and admitted != (True,) else ""
            return None, f"inactive: {parent} is {here}{only}"
    inactive = _impossible(path, facts, searched) or _unreached(path, facts, searched)
    if inactive or not conditions:
        return None, inactive
    return replace(conditions[0], also=tuple(conditions[1:])), ""


def run_length(path: str, facts: Facts) -> tuple[str | None, int] | None:
    """Return the end of the run that a count of epochs or steps must stay below: the key of the epochs, and its value.

    The key is None for steps; None where a parameter counts neither, or the length of the run is not known.
    """
    value = facts.spec.get(path) if facts.spec.has(path) else None
    rule = next((rule for rule in facts.rules.run_length if named(path, rule.names)), None)
    key = next((key for key in facts.skill.keys.epochs if facts.spec.count(key) is not None), None)
    if rule is None or path == key or not isinstance(value, int):
        return None
    epochs, steps = facts.lengths.get("epoch"), facts.lengths.get("step")
    most = 1 if rule.unit == "either" else _STEPS_FROM
    is_in_steps = rule.unit == "step" or (epochs is not None and value > most * epochs)
    if is_in_steps:
        return None if steps is None else (None, steps)
    return None if epochs is None or key is None else (key, epochs)


def _unreached(path: str, facts: Facts, searched: Collection[str]) -> str:
    """Return why a parameter never acts in a run as short as this one; empty if it may."""
    spec = facts.spec
    own = [rule for rule in facts.rules.milestones if matches(path, (rule.path,))]
    for rule in own:
        length = facts.lengths.get(rule.unit)
        if length is None or rule.parent in searched:
            continue
        is_used = spec.has(rule.parent) and matches(str(spec.get(rule.parent)), rule.any_of)
        numbers = _numbers(facts, rule.first) if spec.has(rule.first) else []
        if is_used and numbers and min(numbers) >= length:
            return f"inactive: {rule.first} starts at {rule.unit} {min(numbers):g} and the run ends after {length}"
    if own or not named(path, facts.rules.after_milestones):
        return ""
    first = next((found for name in facts.rules.first_milestones if (found := along(facts, path, name))), None)
    epochs = facts.lengths.get("epoch")
    if first is None or epochs is None or first in searched or any(key in searched for key in facts.skill.keys.epochs):
        return ""
    numbers, unit, ends = _numbers(facts, first), "epoch", float(epochs)
    if numbers and min(numbers) > _STEPS_FROM * epochs:
        ends, unit = facts.lengths.get("step", math.inf), "step"
    is_late = bool(numbers) and min(numbers) >= ends
    return f"inactive: {first} starts at {unit} {min(numbers):g} and the run ends after {ends:g}" if is_late else ""


def _numbers(facts: Facts, path: str) -> list[float]:
    listed = facts.spec.get(path)
    return [n for n in (listed if isinstance(listed, list) else [listed]) if is_number(n)]


def _impossible(path: str, facts: Facts, searched: Collection[str]) -> str:
    """Return which probability of 0 keeps a parameter from acting; empty for none."""
    block, _, name = path.rpartition(".")
    words = name.split("_")
    heads = ["_".join(words[:count]) for count in range(1, len(words))]
    chances = [f"{block}.{chance}" for chance in _CHANCES]
    chances += [f"{block}.{head}_{chance}" for head in heads for chance in _CHANCES]
    for chance in chances:
        if chance != path and chance not in searched and facts.spec.has(chance):
            value = facts.spec.get(chance)
            if is_number(value) and value == 0:
                return f"inactive: {chance} is 0"
    return ""


def _parents(path: str, facts: Facts, searched: Collection[str]) -> list[tuple[str, tuple[Scalar, ...]]]:
    """Return what decides whether a parameter acts: (parent, values under which it does)."""
    found = list(_chosen_blocks(path, facts))
    decided: set[str] = set()
    for rule in facts.rules.conditions:
        if not rule.concerns(path):
            continue
        candidates = (_candidate(facts, path, parent) for parent in rule.parents)
        parent = next((candidate for candidate in candidates if candidate is not None), None)
        # The rules of the architecture come first and replace those of all architectures about the same parent.
        if parent is None or parent in decided or (parent in searched and _is_range(parent, facts)):
            continue
        decided.add(parent)
        found.append((parent, tuple(value for value in _values_of(parent, facts) if rule.admits(value))))
    switches = (switch for switch in _switches(path, facts, searched) if switch not in decided)
    return [*((switch, (True,)) for switch in switches), *found]


def _chosen_blocks(path: str, facts: Facts) -> Iterator[tuple[str, tuple[Scalar, ...]]]:
    """Yield what chooses a block around a path: ``backbone.type`` where ``swin`` is an option and a block."""
    block = path.rpartition(".")[0]
    while "." in block:
        outer, _, name = block.rpartition(".")
        for selector in (f"{outer}.{word}" for word in _SELECTORS):
            leaf = facts.schema.leaves.get(selector)
            if leaf is not None and name in leaf.choices and facts.spec.has(selector):
                yield selector, (name,)
        block = outer


def _is_range(path: str, facts: Facts) -> bool:
    leaf = facts.schema.leaves.get(path)
    return leaf is not None and leaf.kind in {LeafKind.INT, LeafKind.FLOAT} and not leaf.choices


def _candidate(facts: Facts, path: str, parent: str) -> str | None:
    """Return the parameter that a rule means by a parent, if the spec has it.

    ``.name`` is beside the path, ``^name`` there, around it or in a block beside those, ``*word*.name`` in the nearest
    block around the path with that word, everything else a path of its own.
    """
    block = path.rpartition(".")[0]
    match parent[0]:
        case "^":
            return along(facts, path, parent[1:])
        case ".":
            wanted = f"{block}{parent}"
        case "*":
            wanted = _beside_named(facts, path, parent)
        case _:
            wanted = parent
    return wanted if wanted and wanted != path and facts.spec.has(wanted) else None


def _beside_named(facts: Facts, path: str, parent: str) -> str:
    block = path.rpartition(".")[0]
    while block:
        beside = f"{block}.{parent.rpartition('.')[2]}"
        if named(beside, (parent,)) and _is_value(facts, beside):
            return beside
        block = block.rpartition(".")[0]
    return ""


def along(facts: Facts, path: str, name: str) -> str | None:
    """Return the nearest parameter of a name: beside a path, in the blocks around it, or in one block beside those."""
    block = path
    while block:
        block = block.rpartition(".")[0]
        prefix = f"{block}." if block else ""
        if _is_value(facts, prefix + name) and prefix + name != path:
            return prefix + name
        around = facts.spec.values if not block else facts.spec.get(block) if facts.spec.has(block) else None
        inside = [f"{prefix}{child}.{name}" for child in around] if isinstance(around, Mapping) else []
        found = [one for one in inside if one != path and _is_value(facts, one)]
        if len(found) == 1:
            return found[0]
    return None


def _is_value(facts: Facts, path: str) -> bool:
    return facts.spec.has(path) and not isinstance(facts.spec.get(path), dict)


def _switches(path: str, facts: Facts, searched: Collection[str]) -> list[str]:
    """Return the switches of the parameter and its blocks that are off or may be searched."""
    found = []
    for switch in _possible_switches(path):
        value = facts.spec.get(switch) if switch != path and facts.spec.has(switch) else None
        if isinstance(value, bool) and (switch in searched or not value):
            found.append(switch)
    return found


def _possible_switches(path: str) -> Iterator[str]:
    block, _, name = path.rpartition(".")
    words = name.split("_")
    for count in range(1, len(words)):
        head = "_".join(words[:count])
        yield from _switches_of(block, head)
        if not head.startswith(_NEGATIONS):
            yield f"{block}.{head}" if block else head  # ``mosaic`` beside ``mosaic_prob``
    while block:
        yield from (f"{block}.{switch}" for switch in _SWITCHES)
        block, _, name = block.rpartition(".")
        yield from _switches_of(block, name)


def _switches_of(block: str, name: str) -> Iterator[str]:
    prefix = f"{block}." if block else ""
    yield from (f"{prefix}{word}{name}" for word in _PREFIXES)
    yield from (f"{prefix}{name}{word}" for word in _SUFFIXES)


def _values_of(path: str, facts: Facts) -> tuple[Scalar, ...]:
    """Return every value that a parent is known to take: the options of the schema and the spec's own."""
    leaf = facts.schema.leaves.get(path)
    options = leaf.choices if leaf is not None else ()
    here = facts.spec.get(path)
    return options if isinstance(here, dict | list) or here in options else (*options, here)
