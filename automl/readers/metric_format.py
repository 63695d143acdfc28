"""The contract of a reader: a format of logs or metric files, by the names of its files.

Where the files lie, when they are read, what is new in them, and that a trainer may have made anything of them, is not
its business; see `automl.readers.metric_file`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from automl.study.trial import Measurement


class MetricFormat(ABC):
    """Reads the text of a file.

    Attributes:
        patterns: Names of the files, with ``*``: ``history.toml``, ``train.log``; in any folder of a trial.
        is_by_line: Lines are appended: a last line without an end is not given before the trainer has ended.
    """

    patterns: ClassVar[tuple[str, ...]]
    is_by_line: ClassVar[bool] = False

    @abstractmethod
    def read(self, text: str) -> list[Measurement]:
        """Return what a text reports, with zero-based epochs; nothing of a text that is not complete or not its own.

        It is called again with the whole text whenever the file has changed; what was returned before is left out.
        """
