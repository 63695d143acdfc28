"""Read the ``actions`` of a skill, and what other parts of `skill_info.yaml` say about each.

An action that cannot be used is removed with a warning, a training action or the last one with an error.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType

from automl.skill.fields import Fields, Findings, as_flag, is_parameter_path, kind_of
from automl.skill.model import ConfigFormat, FileSlot, SkillAction, SlotKind

CONFIG_PATH = "{config_path}"
_VERSIONS_KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_DIRECTIONS = {"max": "maximize", "maximize": "maximize", "min": "minimize", "minimize": "minimize"}


def read_actions(fields: Fields) -> dict[str, SkillAction]:
    """Return the usable actions by name; record a problem when there are none, or when training is unusable."""
    findings = fields.findings
    if fields.values.get("actions") is None:
        fields.reject("actions", "nothing", "a mapping of actions", "add actions with a command each")
    blocks = fields.mapping("actions")
    actions: dict[str, SkillAction] = {}
    for name in blocks.values:
        attempt = Findings(findings.file)
        action = _read_action(name, replace(fields, findings=attempt))
        findings.warnings += attempt.warnings
        if not attempt.problems:
            actions[name] = action
        elif name == "train" or len(blocks.values) == 1:
            findings.problems += attempt.problems
        else:
            findings.warnings += attempt.problems
    if blocks.values and not actions and not findings.problems:
        fields.reject("actions", "no usable action", "one action or more", "correct what the warnings name")
    return actions


def _read_action(name: str, root: Fields) -> SkillAction:
    block = root.mapping("actions").mapping(name)
    return SkillAction(
        name=name,
        command=_command(block),
        config_format=_config_format(block),
        inputs=_slots(block.mapping("inputs")),
        outputs=_slots(block.mapping("outputs")),
        image=_backend_image(name, root) or read_image(block),
        metric=block.text("metric"),
        metric_direction=_direction(block),
        metric_file=_metric_file(block),
        spec_params=MappingProxyType(root.mapping("spec_params").mapping(name).by_path()),
        data_sources=MappingProxyType(root.mapping("data_sources").mapping(name).by_path()),
    )


def read_image(block: Fields) -> str | None:
    """Return the image of a block; the key of a versions file is no image, and the file lies outside the skill."""
    for key in ("container_image", "image"):
        image = block.text(key)
        if image is not None and _VERSIONS_KEY.fullmatch(image):
            found = f"{image!r}, a key of a versions file"
            block.leave_out(key, found, "an image with its tag", "write the image itself")
        elif image is not None:
            return image
    return None


def _command(block: Fields) -> str:
    command = block.text("command", is_required=True) or ""
    count = command.count(CONFIG_PATH)
    if command and count != 1:
        expected, fix = f"{CONFIG_PATH} exactly once", "name the place of the spec file once"
        block.reject("command", f"{CONFIG_PATH} {count} times", expected, fix)
    return command


def _config_format(block: Fields) -> ConfigFormat:
    value = block.text("config_format") or "yaml"
    try:
        return ConfigFormat({"yml": "yaml"}.get(value.lower(), value.lower()))
    except ValueError:
        block.reject("config_format", repr(value), ", ".join(ConfigFormat), "use one of these formats")
        return ConfigFormat.YAML


def _slots(block: Fields) -> tuple[FileSlot, ...]:
    slots = []
    for key, value in block.values.items():
        described = value if isinstance(value, dict) else {"type": value}
        kind = described.get("type")
        if is_parameter_path(key) and kind in tuple(SlotKind):
            is_optional = as_flag(described.get("optional")) is True
            slots.append(FileSlot(key=key, kind=SlotKind(kind), is_optional=is_optional))
        else:
            expected = f"a parameter path with type {', '.join(SlotKind)}"
            block.leave_out(key, kind_of(value), expected, "correct the entry")
    return tuple(slots)


def _direction(block: Fields) -> str | None:
    value = block.text("metric_direction")
    if value is not None and value.lower() not in _DIRECTIONS:
        block.leave_out("metric_direction", repr(value), "maximize or minimize", "or give --direction")
    return _DIRECTIONS.get(value.lower()) if value is not None else None


def _metric_file(block: Fields) -> str | None:
    value = block.text("metric_file")
    if value is not None and (value.startswith(("/", "~")) or ".." in value.split("/") or "\\" in value):
        fix = "name the file relative to the results"
        block.leave_out("metric_file", repr(value), "a path inside the results folder", fix)
        return None
    return value


def _backend_image(action: str, root: Fields) -> str | None:
    """Return the image of the backend that a skill with several backends chooses by default for an action."""
    if root.values.get("backend_contracts") is None:
        return None
    backend = root.mapping("backend_selection").mapping("defaults").text(action)
    return root.mapping("backend_contracts").mapping(backend).text("container_image") if backend else None
