"""Which folder's files count where several have the objective: of folds, of data sets, of training and validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.splits import SHORT, Split, is_unclear, split_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.readers.notices import Notices


@dataclass(slots=True)
class FolderChoice:
    """Lets the objective of one folder count: of one that says validation, else of the first that has it.

    A folder whose whole name is a split is not asked: its name is part of the names of its metrics.

    Attributes:
        directory: The trial directory.
        objective: Name of the metric.
        notices: Where to say which of several counts.
    """

    directory: Path
    objective: str
    notices: Notices
    _splits: dict[Path, Split] = field(default_factory=dict, init=False)
    _counting: Path | None = field(default=None, init=False)

    def add(self, file: Path) -> None:
        """Take a file over that may have the objective."""
        parts = reversed(file.parent.relative_to(self.directory).parts)
        found = (split for part in parts if (split := split_of(part)) is not Split.UNNAMED)
        self._splits[file.parent] = next(found, Split.UNNAMED)

    def counts(self, file: Path) -> bool:
        """Whether the objective of a file counts, which has it."""
        folder = file.parent
        if folder == self._counting or folder.name.lower() in SHORT:
            return True
        split = self._splits[folder]
        if split is Split.TRAINING and {Split.VALIDATION, Split.TEST} & set(self._splits.values()):
            return False
        if self._counting is None or split < self._splits[self._counting]:
            self._counting = folder
            return True
        if is_unclear(self._splits[self._counting], split):
            first, other = (path.relative_to(self.directory) for path in (self._counting, folder))
            self.notices.say(
                "folders",
                f"{self.objective} stands in the event files of several folders, such as {first} and {other}, and that "
                f"of {first} counts; give it a name of its own in each",
            )
        return False
