"""What a model skill is, once read: frozen data, no files, no policy.

A skill is a folder with `skill_info.yaml`, a train schema and spec templates. `automl.skill.load` reads one,
`automl.skill.layout` knows the two on-disk layouts. Nothing in a skill is executed by loading it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.config_files import JsonValue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.architectures.model import Architecture, SpecKeys
    from automl.errors import Problem
    from automl.skill.program import Program

__all__ = ["ConfigFormat", "FileSlot", "JsonValue", "Skill", "SkillAction", "SlotKind"]


def _any_architecture() -> Architecture:
    from automl.architectures.load import load_architecture  # noqa: PLC0415 # 20 ms that `status` need not pay

    return load_architecture("any")


class ConfigFormat(StrEnum):
    """The format of an action's spec file."""

    YAML = "yaml"
    JSON = "json"
    TOML = "toml"


class SlotKind(StrEnum):
    """What an input or output of an action is."""

    FILE = "file"
    FOLDER = "folder"
    LOCAL_GLOB = "local_glob"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSlot:
    """A key of the spec, list indices included, that names a file or a folder."""

    key: str
    kind: SlotKind
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillAction:
    """One thing a skill can do: train, evaluate, inference, export, ...

    Attributes:
        command: The command template. ``{config_path}`` occurs exactly once and is the only thing ever replaced, but in
            that of a program.
        inputs: File slots that must or may be filled before the action starts.
        outputs: File slots the action writes.
        image: Container image of this action, if it differs from the skill's.
        metric_direction: ``maximize`` or ``minimize`` where the skill gives one.
        metric_file: A JSON file, relative to the results folder, that holds the metric, where the skill names one.
        spec_params: Parameter path -> special word, literal or download description (see `automl.spec.build`).
        data_sources: Parameter path -> rule of the `data_sources` language, as read.
        program: What is known of it where it is a program that no skill describes.
    """

    name: str
    command: str
    config_format: ConfigFormat = ConfigFormat.YAML
    inputs: tuple[FileSlot, ...] = ()
    outputs: tuple[FileSlot, ...] = ()
    image: str | None = None
    metric: str | None = None
    metric_direction: str | None = None
    metric_file: str | None = None
    spec_params: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    data_sources: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    program: Program | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A model skill, as its files say.

    Attributes:
        root: The skill folder, absolute.
        network_arch: Architecture id: the name of its file in `automl.architectures`.
        image: Container image for actions that name none; None for skills that run in this environment.
        templates: Action name -> spec template file, for those that exist.
        schemas: Action name -> schema file, for those that exist (not yet parsed).
        gpu_spec_key: Parameter path of the GPU count, if any; ``node_spec_key`` that of the node count.
        key_defaults: Parameter path -> value, applied under the user's overrides.
        shorthand_keys: Alias -> parameter path.
        required_credentials: Names of environment variables that must be present.
        architecture: What is known of the architecture; without the skill's files, what holds for every one.
        values: The spec template of training in place of a file, and ``values_source``, where it comes from.
        is_open: Its program takes parameters that neither template nor schema name.
        fingerprints: File name -> SHA-256 of every file that was read.
        warnings: What could not be used and does not stop the skill from running.
    """

    name: str
    root: Path
    network_arch: str
    automl_enabled: bool
    actions: Mapping[str, SkillAction]
    templates: Mapping[str, Path]
    schemas: Mapping[str, Path]
    image: str | None = None
    data_format: str | None = None
    gpu_spec_key: str | None = None
    node_spec_key: str | None = None
    key_defaults: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    shorthand_keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    required_credentials: tuple[str, ...] = ()
    architecture: Architecture = field(default_factory=_any_architecture)
    values: Mapping[str, JsonValue] | None = None
    values_source: str = ""
    is_open: bool = False
    fingerprints: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[Problem, ...] = ()

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return "program" if self.is_open else "skill"

    @property
    def is_function(self) -> bool:
        """Whether it is a function of Python, whose values have types."""
        return any(program.is_function for program in self._programs)

    @property
    def sources(self) -> Mapping[str, Path]:
        """The files of the code of a program, by their names in `fingerprints`; of a skill none."""
        return {name: file for program in self._programs for name, file in program.sources.items()}

    @property
    def _programs(self) -> list[Program]:
        return [action.program for action in self.actions.values() if action.program is not None]

    @property
    def keys(self) -> SpecKeys:
        """Parameter paths with a known meaning; the skill's own short names come first."""
        known = self.architecture.keys
        return replace(
            known,
            epochs=(*self._named("num_epochs"), *known.epochs),
            seed=(*self._named("seed"), *known.seed),
            batch_size=(*self._named("train_batch_size", "batch_size"), *known.batch_size),
        )

    def _named(self, *short_names: str) -> tuple[str, ...]:
        return tuple(self.shorthand_keys[name] for name in short_names if name in self.shorthand_keys)
