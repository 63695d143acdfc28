"""Find images and their ground truth in a folder tree and write annotation files.

The keys are those of the container; what differs is silent damage turned into an error or a warning: an existing file
is refused or replaced, never appended to; the shuffle has a seed; ground truth that does not exist is not listed;
extensions are compared and replaced at the end of a name only; patterns are looked for below ``data_root``, and in its
own path only where no file below has them. Paths with spaces are written in quotes.
"""

from __future__ import annotations

import logging
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from depth_net.data.annotations import IMAGE_SUFFIXES, quote_column
from depth_net.errors import DataError, SpecError
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from depth_net.config.actions import ConvertConfig

logger = logging.getLogger(__name__)

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What was written."""

    files: tuple[tuple[Path, int], ...]
    """Annotation files and their numbers of lines."""
    warnings: tuple[str, ...]


def convert(config: ConvertConfig, *, relative_paths: bool = False) -> ConvertReport:
    """Write ``train.txt`` and ``val.txt``, or ``test.txt``, to ``config.results_dir``.

    The same tree and seed give the same files.

    Args:
        config: A spec without problems, see `depth_net.spec.load_convert_spec`.
        relative_paths: Write paths below ``results_dir`` relative to it, for a data set that will move together with
            its lists.

    Raises:
        DataError: nothing matches, no ground truth exists, a split would be empty, or a file exists and may not be
            replaced.
    """
    if config.nocc_mask_dir_name:
        logger.warning("nocc_mask_dir_name: set without effect; the reference never reads it either")
    _refuse_existing(config)
    images, warnings = find_images(config)
    if not images:
        raise DataError(_describe_no_match(config, warnings))
    rows = [
        columns
        for columns in (_columns_of(image, config) for image in images)
        if all(path.is_file() for path in columns)
    ]
    skipped = len(images) - len(rows)
    if not rows:
        raise DataError(_describe_missing(images[0], config, count=len(images)))
    if skipped:
        example = _describe_missing(_first_incomplete(images, config), config)
        warnings.append(f"{skipped} of {len(images)} images left out: {example}")
    splits = _split(rows, config)
    base = config.output_folder.absolute() if relative_paths else None
    config.output_folder.mkdir(parents=True, exist_ok=True)
    for file, lines in splits:
        _write(file, (_format_row(columns, base) for columns in lines))
    for warning in warnings:
        logger.warning("%s", warning)
    return ConvertReport(tuple((file, len(lines)) for file, lines in splits), tuple(warnings))


def find_images(config: ConvertConfig) -> tuple[list[Path], list[str]]:
    """Return the images below ``data_root`` that match patterns and extension, sorted, and warnings."""
    if not config.image_root.is_dir():
        message = (
            f"data_root: found {config.image_root}, which is no folder; set it to the folder that holds the images"
        )
        raise DataError(message)
    matching = _matching(_walk(config.image_root), config)
    wanted = _dotted(config.image_extension)
    suffixes = {wanted} if wanted else IMAGE_SUFFIXES
    images = [path for path in matching if path.suffix.lower() in suffixes]
    others = [
        path for path in matching if path.suffix.lower() in IMAGE_SUFFIXES - suffixes and config.depth_dir_pattern
    ]
    warnings = []
    # Ground truth often matches the patterns too; only a second kind of photograph hints at a wrong extension.
    near_misses = [path for path in others if path.suffix.lower() != _dotted(config.depth_extension)]
    if near_misses:
        count, example = len(near_misses), near_misses[0]
        warnings.append(f"{count} files match image_dir_pattern but not image_extension {wanted}, such as {example}")
    if wanted and wanted not in IMAGE_SUFFIXES:
        warnings.append(f"image_extension {wanted} cannot be read in training; expected .png, .jpg or .jpeg")
    return images, warnings


def _walk(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders.sort()
        found.extend(Path(folder, name) for name in names)
    return sorted(found)


def _below_root(path: Path, config: ConvertConfig) -> str:
    """The path below ``data_root``, with a leading slash so that a pattern may name a top folder as ``/rgb/``."""
    return "/" + path.relative_to(config.image_root).as_posix()


def _root(config: ConvertConfig) -> str:
    return f"{config.image_root.absolute().as_posix()}/"


def _matching(paths: Sequence[Path], config: ConvertConfig) -> list[Path]:
    """Return the paths with all patterns; one that no file below the root has may stand in the root's own path."""
    for pattern in config.image_dir_pattern:
        having = [path for path in paths if pattern in _below_root(path, config)]
        paths = having or [path for path in paths if pattern in _root(config)]
    return list(paths)


def _columns_of(image: Path, config: ConvertConfig) -> tuple[Path, ...]:
    """The files of one line: image, right image, ground truth, mask; the last three where patterns are given."""
    depth_suffix, mask_suffix = _dotted(config.depth_extension), _dotted(config.nocc_extension)
    optional = (
        (config.right_dir_pattern, ""),
        (config.depth_dir_pattern, depth_suffix),
        (config.nocc_dir_pattern, mask_suffix),
    )
    partners = [_partner(image, patterns, suffix, config) for patterns, suffix in optional if patterns]
    return (image, *partners)


def _partner(image: Path, patterns: Sequence[str], suffix: str, config: ConvertConfig) -> Path:
    root, below = config.image_root, _below_root(image, config)
    for old, new in zip(config.image_dir_pattern, patterns, strict=True):
        if old in _below_root(image, config):
            below = below.replace(old, new)
        else:
            root = Path(f"{root.absolute().as_posix()}/".replace(old, new))
    path = root / below.removeprefix("/")
    partner = path.with_suffix(suffix) if suffix else path
    if partner == image:
        message = (
            f"depth_dir_pattern: {list(patterns)} in place of {list(config.image_dir_pattern)} gives the image "
            f"itself, {image}; use patterns that lead to another file"
        )
        raise SpecError(message)
    return partner


def _split(rows: Sequence[tuple[Path, ...]], config: ConvertConfig) -> list[tuple[Path, list[tuple[Path, ...]]]]:
    shuffled = list(rows)
    random.Random(config.seed).shuffle(shuffled)  # noqa: S311 - an order of samples, no secret
    names = _split_names(config)
    if len(names) == 1:
        return [(config.output_folder / names[0], shuffled)]
    count = int(len(shuffled) * config.split_ratio)
    if not 0 < count < len(shuffled):
        share = f"{config.split_ratio} of {len(shuffled)} images"
        message = f"split_ratio: found {share}, which leaves a split empty; change it"
        raise DataError(message)
    parts = (shuffled[:count], shuffled[count:])
    return [(config.output_folder / name, part) for name, part in zip(names, parts, strict=True)]


def _split_names(config: ConvertConfig) -> tuple[str, ...]:
    return ("test.txt",) if config.split_ratio in {0.0, 1.0} else ("train.txt", "val.txt")


def _refuse_existing(config: ConvertConfig) -> None:
    existing = [str(path) for name in _split_names(config) if (path := config.output_folder / name).exists()]
    if existing and not config.overwrite:
        message = f"already written: {', '.join(existing)}; set overwrite: true to replace, or another results_dir"
        raise DataError(message)


def _format_row(columns: Sequence[Path], base: Path | None) -> str:
    """Return one line; paths are relative to ``base`` where all of them lie below it."""
    absolute = [path.absolute() for path in columns]
    if base is not None and all(path.is_relative_to(base) for path in absolute):
        absolute = [path.relative_to(base) for path in absolute]
    return " ".join(quote_column(str(path)) for path in absolute)


def _write(file: Path, lines: Iterable[str]) -> None:
    with whole(file) as unfinished:
        unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")


def _dotted(extension: str) -> str:
    bare = extension.strip().lower().lstrip(".")
    return f".{bare}" if bare else ""


def _first_incomplete(images: Sequence[Path], config: ConvertConfig) -> Path:
    return next(image for image in images if not all(path.is_file() for path in _columns_of(image, config)))


def _describe_missing(image: Path, config: ConvertConfig, *, count: int = 1) -> str:
    missing = next(path for path in _columns_of(image, config) if not path.is_file())
    images = f"none of {count} images has its ground truth; " if count > 1 else ""
    return f"{images}for {image} expected {missing}, which does not exist; check depth_dir_pattern and depth_extension"


def _describe_no_match(config: ConvertConfig, warnings: Sequence[str]) -> str:
    examples = [_below_root(path, config) for path in _walk(config.image_root)[:_SHOWN]]
    found = f"found for example {', '.join(examples)}" if examples else "the folder is empty"
    hints = "".join(f"; {warning}" for warning in warnings)
    patterns = list(config.image_dir_pattern)
    return (
        f"data_root {config.image_root}: no file matches image_dir_pattern {patterns} and image_extension "
        f"'{config.image_extension}'; {found}{hints}"
    )
