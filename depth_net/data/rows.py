"""The rows of a data source: a list, or a folder of images and depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from depth_net.data.annotations import Row, read_annotations
from depth_net.data.folders import find_pairs, read_folder, read_images
from depth_net.errors import DataError

if TYPE_CHECKING:
    from depth_net.config.dataset import DataSource

_LISTS: Final = (".txt", ".csv")


def read_rows(source: DataSource, *, needs_depth: bool) -> tuple[Row, ...]:
    """Read the rows of a source.

    Args:
        source: With a ``data_file``.
        needs_depth: Of a folder, leave out images without depth; of a list, lines whose ground truth is ``None``.
            Otherwise depth in a folder is not looked for.

    Raises:
        DataError: the list or folder cannot be used; says what was found.
    """
    path = Path(source.data_file).expanduser()
    if path.is_dir():
        file = _only_list(path)
        if file is not None and not find_pairs(path):
            path = file
        elif not needs_depth:
            return read_images(path)
        else:
            return read_folder(path, source.part, source.split_by)
    if source.part is not None:
        raise DataError(f"part: found {source.part} beside the list {path}; expected a folder; remove part")
    return read_annotations(path, needs_depth=needs_depth)


def _only_list(folder: Path) -> Path | None:
    files = [file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in _LISTS]
    return files[0] if len(files) == 1 else None
