"""Paths inside a results folder as documents of a study hold them: seen from the study directory, so that all can move.

In the plan of ``/data/results/demo`` the file ``/data/results/mlflow.db`` is ``{study}/../mlflow.db``, also behind the
``sqlite:///`` of a tracking URI. Paths outside of the results folder stay as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SQLITE = "sqlite:///"
_PREPARED = "{prepared}"
_PORTABLE = re.compile(r"\{study\}((?:/\.\.)*)(/.*)?", re.DOTALL)


def made_portable(document: Any, root: Path, results: Path) -> Any:  # noqa: ANN401 # JSON
    """Return a JSON document in which no path leads through the place of the results folder.

    Args:
        document: What is written.
        root: The study directory, absolute.
        results: The results folder, absolute. Where the study lies outside of it, it stays where it is.
    """
    folder = results if root.is_relative_to(results) else root
    here, study = str(folder), "{study}" + "/.." * len(root.relative_to(folder).parts)

    def seen_from_study(path: str) -> str:
        return study + path[len(here) :] if path == here or path.startswith(f"{here}/") else path

    return _with_paths(document, seen_from_study)


def located(document: Any, root: Path) -> Any:  # noqa: ANN401 # JSON
    """Return a document of `made_portable` with its paths as they are where the study directory lies now."""

    def found(path: str) -> str:
        match = _PORTABLE.fullmatch(path)
        return path if match is None else f"{(root, *root.parents)[match[1].count('..')]}{match[2] or ''}"

    return _with_paths(document, found)


def record_of_moved(tracking_uri: str, root: Path) -> str:
    """Return where the record of a study is: in the file beside it, where the named sqlite file is not there.

    Earlier versions noted the absolute path, which is another one after a move.
    """
    file = Path(tracking_uri.removeprefix(_SQLITE))
    beside = root.parent / file.name
    is_moved = tracking_uri.startswith(_SQLITE) and not file.is_file() and beside.is_file()
    return f"{_SQLITE}{beside}" if is_moved else tracking_uri


def results_of_prepared(spec: Any, data: Mapping[str, str], directory: str) -> Path | None:  # noqa: ANN401 # JSON
    """Return the results folder in which a spec names the data that its study has prepared; None if it names none.

    Args:
        spec: Of the study.
        data: Split -> path as it was asked for, ``{prepared}`` for the folder of prepared data.
        directory: Name of that folder below ``data`` of the results folder.
    """
    ends = {f"/data/{directory}{path.removeprefix(_PREPARED)}" for path in data.values() if path.startswith(_PREPARED)}
    found: list[str] = []

    def look(text: str) -> str:
        found.extend(text.removesuffix(end) for end in ends if text.endswith(end) and text.startswith("/"))
        return text

    _with_paths(spec, look)
    return Path(found[0]) if found else None


def _with_paths(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 # JSON
    """Return a JSON value with its texts changed; of a sqlite URI the path."""
    if isinstance(value, dict):
        return {key: _with_paths(child, change) for key, child in value.items()}
    if isinstance(value, list):
        return [_with_paths(child, change) for child in value]
    if isinstance(value, str):
        scheme = _SQLITE if value.startswith(_SQLITE) else ""
        return scheme + change(value.removeprefix(scheme))
    return value
