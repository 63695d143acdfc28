"""Read a skill's folder into a `Skill`: every problem at once, nothing executed, nothing outside the folder followed.

What is wrong with the skill itself, or with training, stops it. What is wrong with another action only removes that
action, and is kept as a warning: a broken export must not stop a search.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.architectures.load import load_architecture
from automl.config_files import read_document, read_regular
from automl.errors import ConfigurationError
from automl.resources import builtin_skill, builtin_skills
from automl.skill.actions import read_actions, read_image
from automl.skill.fields import Fields, Findings, is_parameter_path, kind_of
from automl.skill.layout import NOTHING, SkillFiles, find_files, found_at
from automl.skill.model import Skill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from automl.architectures.model import Architecture


def load_skill(reference: str | Path) -> Skill:
    """Read a skill, named by its folder, its ``skill_info.yaml``, or the name of a built-in skill.

    Raises:
        ConfigurationError: nothing is there, or the skill cannot be used; with every problem.
    """
    files = find_files(_folder(reference))
    findings = Findings(str(files.info))
    document = read_document(files.info)
    if isinstance(document, dict):
        skill = _read_skill(Fields(document, "", findings), files)
        if not findings.problems:
            return skill
    else:
        findings.reject("(root)", kind_of(document), "a mapping", "write network_arch, actions, ... as keys")
    raise ConfigurationError.from_problems(findings.problems, subject=f"the skill {files.root.name}")


def _folder(reference: str | Path) -> Path:
    with contextlib.suppress(OSError, ValueError):
        if Path(reference).exists():
            return Path(reference)
    builtin = builtin_skill(str(reference))
    if builtin is not None:
        return builtin
    expected = f"the folder of a skill, or a built-in skill: {', '.join(builtin_skills()) or 'none'}"
    close = difflib.get_close_matches(str(reference), builtin_skills(), n=1)
    fix = f"did you mean {close[0]}?" if close else "check the path or the name"
    raise ConfigurationError.single("the skill", where=str(reference), found="nothing", expected=expected, fix=fix)


def _read_skill(fields: Fields, files: SkillFiles) -> Skill:
    actions = read_actions(fields)
    templates = _templates(fields, files, actions)
    schemas = {action: file for action in actions if (file := files.schema(action)) is not None}
    read = {files.info, files.architecture or files.info, *templates.values(), *schemas.values()}
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
        key_defaults=MappingProxyType(fields.mapping("key_defaults").by_path()),
        shorthand_keys=MappingProxyType(_shorthands(fields.mapping("spec_shorthand_keys"))),
        required_credentials=fields.texts("required_credentials"),
        fingerprints=MappingProxyType(_fingerprints(files.root, read, fields.findings)),
        architecture=_architecture(network_arch, files, fields.findings),
        warnings=tuple(fields.findings.warnings),
    )


def _architecture(network_arch: str, files: SkillFiles, findings: Findings) -> Architecture:
    place = files.layout.architecture
    if files.architecture is None and (found := found_at(files.root / place, files.root)) != NOTHING:
        findings.leave_out(place, found, "a file inside the skill", "put the file there, or remove what is there")
    try:
        return load_architecture(network_arch, files.architecture)
    except ConfigurationError as error:
        findings.problems += error.problems
        return load_architecture(network_arch)


def _templates(fields: Fields, files: SkillFiles, actions: Iterable[str]) -> dict[str, Path]:
    declared = fields.mapping("spec_templates")
    found: dict[str, Path] = {}
    for action in actions:
        value = declared.values.get(action)
        if value is not None and not isinstance(value, str):
            declared.leave_out(action, kind_of(value), "a path", "write the template's path")
            value = None
        file = files.template(action, value)
        if file is not None:
            found[action] = file
        elif value is not None:
            declared.leave_out(action, value, "a file inside the skill", "add the file or remove the entry")
    return found


def _path(fields: Fields, key: str) -> str | None:
    value = fields.text(key)
    if value is not None and not is_parameter_path(value):
        fields.reject(key, repr(value), "a parameter path such as train.num_gpus", "correct the path")
        return None
    return value


def _shorthands(fields: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    for alias, value in fields.values.items():
        if isinstance(value, str) and is_parameter_path(value):
            found[alias] = value
        else:
            fields.leave_out(alias, kind_of(value), "a parameter path", "correct the path")
    return found


def _fingerprints(root: Path, files: Iterable[Path], findings: Findings) -> dict[str, str]:
    digests = {}
    for file in sorted(files):
        name = file.relative_to(root).as_posix() if file.is_relative_to(root) else f"schemas/{file.name}"
        try:
            digests[name] = hashlib.sha256(read_regular(file)).hexdigest()
        except ConfigurationError as error:
            findings.warnings += error.problems
    return digests
