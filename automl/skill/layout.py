"""Where the files of a skill lie: the known layouts as one table, and the rule that nothing outside is followed.

- The public layout keeps ``references/skill_info.yaml``, ``references/spec_template_<action>.yaml``, optionally
  ``references/automl.yaml``, and ``schemas/<action>.schema.json`` in the skill's folder.
- The layout of the built-in skills keeps ``skill_info.yaml`` and templates in ``templates/<name>`` and schemas in
  ``schemas/<name>`` two folders up.
- A flat folder has everything at its root; schemas may lie in ``schemas``.

A link that leads out of the skill counts as no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.regular_file import followed, kind_of

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = "no such file"


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to arrange the files of a skill, as patterns relative to its folder; ``info`` is what marks a skill."""

    info: str
    template: str
    schemas: tuple[str, ...]
    architecture: str


LAYOUTS = (
    Layout(
        "references/skill_info.yaml", "references/spec_template_{action}.yaml", ("schemas",), "references/automl.yaml"
    ),
    Layout("skill_info.yaml", "spec_template_{action}.yaml", ("schemas", "../../schemas/{name}", "."), "automl.yaml"),
)


@dataclass(frozen=True, slots=True)
class SkillFiles:
    """The files of one skill on disk; ``root`` is absolute, with links resolved."""

    root: Path
    layout: Layout

    @property
    def info(self) -> Path:
        """The skill's description."""
        return self.root / self.layout.info

    @property
    def architecture(self) -> Path | None:
        """The skill's own architecture file, or None."""
        return contained(self.root / self.layout.architecture, self.root)

    def template(self, action: str, declared: str | None) -> Path | None:
        """Return the spec template of an action, or None.

        Its ``declared`` entry in ``spec_templates`` is relative to the skill or to the description's own folder.
        """
        named = [self.root / declared, self.info.parent / declared] if declared is not None else []
        candidates = (*named, self.root / self.layout.template.format(action=action))
        return next((file for candidate in candidates if (file := contained(candidate, self.root))), None)

    def expected(self, action: str) -> tuple[Path, Path]:
        """Return where schema and template of an action would lie."""
        schemas = self.root / self.layout.schemas[0].format(name=self.root.name)
        return schemas / f"{action}.schema.json", self.root / self.layout.template.format(action=action)

    def schema(self, action: str) -> Path | None:
        """Return the schema file of an action, or None."""
        for pattern in self.layout.schemas:
            # The schemas of built-in skills lie beside the templates: there the schema folder is the boundary.
            outside = pattern.removeprefix("../../")
            border = self.root if outside == pattern else self.root.parent.parent / outside.format(name=self.root.name)
            file = contained(self.root / pattern.format(name=self.root.name) / f"{action}.schema.json", border)
            if file is not None:
                return file
        return None


def find_files(folder: Path) -> SkillFiles:
    """Recognise the layout of a skill's folder.

    Raises:
        ConfigurationError: it is not there, or no layout fits.
    """
    try:
        root = followed(folder)
        if root.is_file():
            root = root.parent.parent if root.parent.name == "references" else root.parent
        for layout in LAYOUTS:
            if contained(root / layout.info, root) is not None:
                return SkillFiles(root, layout)
        found = "a folder without skill_info.yaml" if root.is_dir() else "nothing"
        named = {layout.info: found_at(root / layout.info, root) for layout in LAYOUTS}
        found = next((f"{info}: {there}" for info, there in named.items() if there != NOTHING), found)
    except (OSError, ValueError, RuntimeError) as error:
        found = f"a path that cannot be read ({error})"
    expected = " or ".join(layout.info for layout in LAYOUTS)
    raise ConfigurationError.single(
        "the skill", where=str(folder), found=found, expected=expected, fix="give the folder of a model skill"
    )


def is_skill(folder: Path) -> bool:
    """Return whether a folder looks like a skill, also one whose description is no file."""
    return any(found_at(folder / layout.info, folder) != NOTHING for layout in LAYOUTS)


def found_at(file: Path, border: Path) -> str:
    """Return what is in the place of a file of a skill.

    Args:
        file: Where it is expected.
        border: A folder above it, which a link on the way to it may not leave.
    """
    try:
        for place in (*reversed(file.parents), file):
            if place.is_relative_to(border) and place != border and place.is_symlink():
                target = followed(place)
                link = "a link" if place == file else f"{place.relative_to(border)} is a link"
                if not target.is_relative_to(followed(border)):
                    return f"{link} to {target}, outside the skill"
                if not target.exists():
                    return f"{link} to {target}, which is not there"
        return kind_of(file.stat().st_mode) or "a file"
    except (FileNotFoundError, NotADirectoryError):
        return NOTHING
    except (OSError, ValueError, RuntimeError) as error:
        return f"a path that cannot be read ({error})"


def contained(file: Path, border: Path) -> Path | None:
    """Return a regular file, links resolved, if it exists and lies inside a folder."""
    try:
        resolved = followed(file)
        return resolved if resolved.is_relative_to(border) and resolved.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None
