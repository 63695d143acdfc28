"""The log of a process, open from before its start: one that removes its folder goes on writing to this file.

Its name may be gone then, or be that of a file of the trainer. What is printed is read from the open file, and written
under the name again once the process has ended. The trainer's own file gets another name.
"""

from __future__ import annotations

import os
import shutil
from io import BufferedReader, FileIO
from typing import TYPE_CHECKING, Self

from automl.regular_file import open_to_append
from automl.storage.paths import make_folder
from automl.storage.trainer_files import open_made

if TYPE_CHECKING:
    from pathlib import Path


class HeldLog:
    """A log that is read by its name as long as it has that, which network file systems need, else as it is open.

    Args:
        path: Of the log; it is made if it is not there.
        own: What a file of the trainer is called that has the name at the end.

    Raises:
        OSError: it cannot be made, or is no regular file.
    """

    def __init__(self, path: Path, own: Path) -> None:
        open_to_append(path).close()
        self.path, self.own = path, own
        self._file = open_made(path.parent, path)
        self._is_back = False
        self.is_named = True
        """Whether it had its name when it was looked at last."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def status(self) -> os.stat_result:
        """Look at the log, whatever its name is."""
        held = os.fstat(self._file.fileno())
        try:
            found = self.path.stat()
        except OSError:
            self.is_named = False
            return held
        self.is_named = (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
        return found if self.is_named else held

    def reader(self) -> BufferedReader:
        """Open the log for reading, whatever its name is; raises as `open_made`."""
        if self.is_named:
            return open_made(self.path.parent, self.path)
        return BufferedReader(FileIO(os.dup(self._file.fileno())))

    def put_back(self, *, below: Path) -> list[str]:
        """Write the log under its name where that is gone, after the end of the process.

        Args:
            below: Folder of the study; a folder of the log that is gone is made again.

        Returns:
            What was done, as parts of a sentence; nothing if the log has its name, or no process has used it.

        Raises:
            OSError: it cannot be written.
        """
        size = self.status().st_size
        is_taken = not self.is_named and (self.path.exists() or self.path.is_symlink())
        if self.is_named or self._is_back or (is_taken and not size):
            return []
        make_folder(self.path.parent, below=below)
        if is_taken:
            self.path.rename(self.own)
        with open_to_append(self.path) as target:
            self._file.seek(0)
            shutil.copyfileobj(self._file, target)
        self._is_back = True
        moved = [f"its own file of that name is {self.own.name}"] if is_taken else []
        return [f"{self.path.name} was put back", *moved]
