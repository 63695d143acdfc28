"""Read the ``actions`` of a skill, and what other parts of `skill_info.yaml` say about each.

An action that cannot be used is removed with a warning, a training action or the last one with an error.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType

from automl.skill.fields import Fields, Findings, as_flag, is_parameter_path, kind_of
from automl.skill.model import ConfigFormat, FileSlot, JsonValue, SkillAction, SlotKind

CONFIG_PATH = "{config_path}"
_VERSIONS_KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_DIRECTIONS = {"max": "maximize", "maximize": "maximize", "min": "minimize", "minimize": "minimize"}


def read_actions(fields: Fields) -> dict[str, SkillAction]:
    """Return the usable actions by name; record a problem when there are none, or when training is unusable."""
    if fields.values.get("actions") is None:
        fields.findings.reject(
            fields.at("actions"), "nothing", "a mapping of actions", "add actions with a command each"
        )
    blocks = fields.mapping("actions")
    actions: dict[str, SkillAction] = {}
    for name in blocks.values:
        attempt = Findings(fields.findings.file)
        action = _read_action(name, Fields(blocks.values, blocks.path, attempt), fields, attempt)
        fields.findings.warnings += attempt.warnings
        if not attempt.problems:
            actions[name] = action
        elif name == "train" or len(blocks.values) == 1:
            fields.findings.problems += attempt.problems
        else:
            fields.findings.warnings += attempt.problems
    if blocks.values and not actions and not fields.findings.problems:
        fields.findings.reject(blocks.path, "no usable action", "one action or more", "correct what the warnings name")
    return actions


def _read_action(name: str, blocks: Fields, root: Fields, attempt: Findings) -> SkillAction:
    block = blocks.mapping(name)
    shared = Fields(root.values, root.path, attempt)
    action = SkillAction(
        name=name,
        command=_command(block),
        config_format=_config_format(block),
        inputs=_slots(block.mapping("inputs")),
        outputs=_slots(block.mapping("outputs")),
        image=_backend_image(name, shared) or read_image(block),
        metric=block.text("metric"),
        metric_direction=_direction(block),
        metric_file=_metric_file(block),
    )
    return replace(
        action,
        spec_params=_rules(shared.mapping("spec_params"), name),
        data_sources=_rules(shared.mapping("data_sources"), name),
    )


def read_image(block: Fields) -> str | None:
    """Return the image of a block; the key of a versions file is no image, and the file lies outside the skill."""
    for key in ("container_image", "image"):
        image = block.text(key)
        if image is not None and _VERSIONS_KEY.fullmatch(image):
            expected = "an image with its tag"
            block.findings.leave_out(
                block.at(key), f"{image!r}, a key of a versions file", expected, "write the image itself"
            )
        elif image is not None:
            return image
    return None


def _command(block: Fields) -> str:
    command = block.text("command", is_required=True) or ""
    if command and command.count(CONFIG_PATH) != 1:
        found = f"{CONFIG_PATH} {command.count(CONFIG_PATH)} times"
        expected = f"{CONFIG_PATH} exactly once"
        block.findings.reject(block.at("command"), found, expected, "name the place of the spec file once")
    return command


def _config_format(block: Fields) -> ConfigFormat:
    value = block.text("config_format") or "yaml"
    try:
        return ConfigFormat({"yml": "yaml"}.get(value.lower(), value.lower()))
    except ValueError:
        expected = ", ".join(ConfigFormat)
        block.findings.reject(block.at("config_format"), repr(value), expected, "use one of these formats")
        return ConfigFormat.YAML


def _slots(block: Fields) -> tuple[FileSlot, ...]:
    slots = []
    for key, value in block.values.items():
        described = {"type": value} if isinstance(value, str) else value
        kind = described.get("type") if isinstance(described, dict) else None
        is_known = isinstance(kind, str) and kind in set(SlotKind)
        if not is_parameter_path(key) or not is_known:
            expected = f"a parameter path with type {', '.join(SlotKind)}"
            block.findings.leave_out(block.at(key), kind_of(value), expected, "correct the entry")
        elif isinstance(described, dict):
            is_optional = as_flag(described.get("optional")) is True
            slots.append(FileSlot(key=key, kind=SlotKind(str(kind)), is_optional=is_optional))
    return tuple(slots)


def _direction(block: Fields) -> str | None:
    value = block.text("metric_direction")
    if value is None:
        return None
    if value.lower() not in _DIRECTIONS:
        expected = "maximize or minimize"
        block.findings.leave_out(block.at("metric_direction"), repr(value), expected, "or give --direction")
    return _DIRECTIONS.get(value.lower())


def _metric_file(block: Fields) -> str | None:
    value = block.text("metric_file")
    if value is not None and (value.startswith(("/", "~")) or ".." in value.split("/") or "\\" in value):
        expected = "a path inside the results folder"
        block.findings.leave_out(
            block.at("metric_file"), repr(value), expected, "name the file relative to the results"
        )
        return None
    return value


def _backend_image(action: str, root: Fields) -> str | None:
    """Return the image of the backend that a skill with several backends chooses by default for an action."""
    if root.values.get("backend_contracts") is None:
        return None
    backend = root.mapping("backend_selection").mapping("defaults").text(action)
    return root.mapping("backend_contracts").mapping(backend).text("container_image") if backend else None


def _rules(block: Fields, action: str) -> MappingProxyType[str, JsonValue]:
    rules = block.mapping(action)
    for key in rules.values:
        if not is_parameter_path(key):
            rules.findings.leave_out(rules.at(key), repr(key), "a parameter path", "correct the path")
    return MappingProxyType({key: value for key, value in rules.values.items() if is_parameter_path(key)})
