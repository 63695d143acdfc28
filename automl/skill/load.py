"""Read a skill's folder into a `Skill`: every problem at once, nothing executed, nothing outside the folder followed.

What is wrong with the skill itself, or with training, stops it. What is wrong with another action only removes that
action, and is kept as a warning: a broken export must not stop a search.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.architectures.load import load_architecture
from automl.config_files import read_document
from automl.errors import ConfigurationError, Problem
from automl.resources import builtin_skill, builtin_skills
from automl.skill.actions import read_actions, read_image
from automl.skill.fields import Fields, Findings, is_parameter_path, kind_of
from automl.skill.layout import SkillFiles, find_files
from automl.skill.model import JsonValue, Skill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.architectures.model import Architecture


def load_skill(reference: str | Path) -> Skill:
    """Read a skill.

    Args:
        reference: The skill's folder, its ``skill_info.yaml``, or the name of a built-in skill.

    Raises:
        ConfigurationError: nothing is there, or the skill cannot be used; with every problem.
    """
    files = find_files(_folder(reference))
    findings = Findings(str(files.info))
    document = read_document(files.info)
    if not isinstance(document, dict):
        findings.reject("(root)", kind_of(document), "a mapping", "write network_arch, actions, ... as keys")
        raise ConfigurationError.from_problems(findings.problems, subject=f"the skill {files.root.name}")
    skill = _read_skill(Fields(document, "", findings), files)
    if findings.problems:
        raise ConfigurationError.from_problems(findings.problems, subject=f"the skill {files.root.name}")
    return skill


def recorded_architecture(network_arch: str, root: str | Path) -> Architecture:
    """Return the architecture of a skill that a plan names; its own file counts as long as it can be read.

    Args:
        network_arch: Name of the architecture.
        root: Folder of the skill.
    """
    try:
        return load_architecture(network_arch, find_files(Path(root)).architecture)
    except ConfigurationError:
        return load_architecture(network_arch)


def _folder(reference: str | Path) -> Path:
    path = Path(reference)
    try:
        is_there = path.exists()
    except (OSError, ValueError):
        is_there = False
    builtin = None if is_there else builtin_skill(str(reference))
    if is_there or builtin is not None:
        return builtin or path
    expected = f"the folder of a skill, or a built-in skill: {', '.join(builtin_skills()) or 'none'}"
    problem = Problem(where=str(reference), found="nothing", expected=expected, fix="check the path or the name")
    raise ConfigurationError.from_problems([problem], subject="the skill")


def _read_skill(fields: Fields, files: SkillFiles) -> Skill:
    actions = read_actions(fields)
    templates = _templates(fields, files, tuple(actions))
    schemas = {action: file for action in actions if (file := files.schema(action)) is not None}
    network_arch = fields.text("network_arch", is_required=True) or ""
    return Skill(
        name=fields.text("name") or files.root.name,
        root=files.root,
        network_arch=network_arch,
        automl_enabled=fields.flag("automl_enabled"),
        actions=MappingProxyType(actions),
        templates=MappingProxyType(templates),
        schemas=MappingProxyType(schemas),
        image=read_image(fields),
        data_format=fields.text("data_format"),
        gpu_spec_key=_path(fields, "gpu_spec_key"),
        node_spec_key=_path(fields, "node_spec_key"),
        key_defaults=MappingProxyType(_by_path(fields.mapping("key_defaults"))),
        shorthand_keys=MappingProxyType(_shorthands(fields.mapping("spec_shorthand_keys"))),
        required_credentials=fields.texts("required_credentials"),
        fingerprints=MappingProxyType(_fingerprints(files, fields.findings, templates, schemas)),
        architecture=_architecture(network_arch, files, fields.findings),
        warnings=tuple(fields.findings.warnings),
    )


def _architecture(network_arch: str, files: SkillFiles, findings: Findings) -> Architecture:
    try:
        return load_architecture(network_arch, files.architecture)
    except ConfigurationError as error:
        findings.problems += error.problems
        return load_architecture(network_arch)


def _templates(fields: Fields, files: SkillFiles, actions: tuple[str, ...]) -> dict[str, Path]:
    declared = fields.mapping("spec_templates")
    found: dict[str, Path] = {}
    for action in actions:
        value = declared.values.get(action)
        if value is not None and not isinstance(value, str):
            fields.findings.leave_out(declared.at(action), kind_of(value), "a path", "write the template's path")
        name = value if isinstance(value, str) else None
        file = files.template(action, name)
        if file is not None:
            found[action] = file
        if name is not None and file is None:
            expected = "a file inside the skill"
            fields.findings.leave_out(declared.at(action), name, expected, "add the file or remove the entry")
    return found


def _path(fields: Fields, key: str) -> str | None:
    value = fields.text(key)
    if value is not None and not is_parameter_path(value):
        fields.findings.reject(
            fields.at(key), repr(value), "a parameter path such as train.num_gpus", "correct the path"
        )
        return None
    return value


def _by_path(fields: Fields) -> dict[str, JsonValue]:
    for key in fields.values:
        if not is_parameter_path(key):
            fields.findings.leave_out(fields.at(key), repr(key), "a parameter path", "correct the path")
    return {key: value for key, value in fields.values.items() if is_parameter_path(key)}


def _shorthands(fields: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    for alias, value in fields.values.items():
        if isinstance(value, str) and is_parameter_path(value):
            found[alias] = value
        else:
            fields.findings.leave_out(fields.at(alias), kind_of(value), "a parameter path", "correct the path")
    return found


def _fingerprints(files: SkillFiles, findings: Findings, *read: Mapping[str, Path]) -> dict[str, str]:
    own = () if files.architecture is None else (files.architecture,)
    every = {files.info, *own, *(file for group in read for file in group.values())}
    digests = {}
    for file in sorted(every):
        name = file.relative_to(files.root).as_posix() if file.is_relative_to(files.root) else f"schemas/{file.name}"
        try:
            with file.open("rb") as stream:
                digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            findings.leave_out(name, str(error), "a readable file", "check its permissions")
    return digests
