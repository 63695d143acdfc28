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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertSettings:
    """What to search and where to write, in the keys of the ``convert`` spec."""

    results_dir: Path
    data_root: Path
    image_dir_pattern: tuple[str, ...] = ()
    """Texts that the path of an image contains, all of them."""
    depth_dir_pattern: tuple[str, ...] = ()
    """What replaces each image_dir_pattern in the path of the ground truth; empty for images without ground truth."""
    right_dir_pattern: tuple[str, ...] = ()
    nocc_dir_pattern: tuple[str, ...] = ()
    image_extension: str = "jpg"
    """With or without the dot; empty for every PNG and JPEG."""
    depth_extension: str = "png"
    nocc_extension: str = "png"
    split_ratio: float = 0.0
    """Share of ``train.txt``, the rest goes to ``val.txt``; 0 and 1 write everything to ``test.txt``."""
    seed: int = 1234
    overwrite: bool = False
    relative_paths: bool = False
    """Write paths below ``results_dir`` relative to it, for a data set that will move together with its lists."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot name ground truth; all problems at once."""
        problems = [
            f"{key}: found {len(patterns)} patterns, expected {len(self.image_dir_pattern)}, one per image_dir_pattern"
            for key, patterns in (
                ("depth_dir_pattern", self.depth_dir_pattern),
                ("right_dir_pattern", self.right_dir_pattern),
                ("nocc_dir_pattern", self.nocc_dir_pattern),
            )
            if patterns and len(patterns) != len(self.image_dir_pattern)
        ]
        if (self.right_dir_pattern or self.nocc_dir_pattern) and not self.depth_dir_pattern:
            problems.append("depth_dir_pattern: found nothing; without it a right image would be read as ground truth")
        if not 0 <= self.split_ratio <= 1:
            problems.append(f"split_ratio: found {self.split_ratio}, expected a share in [0, 1]")
        if problems:
            raise SpecError("convert: " + "; ".join(problems))

    @classmethod
    def from_config(cls, config: ConvertConfig) -> ConvertSettings:
        """Take the settings from a parsed ``convert`` spec.

        Raises:
            SpecError: ``results_dir`` or ``data_root`` is missing, or the patterns do not fit together.
        """
        missing = [
            key for key, path in (("results_dir", config.results_dir), ("data_root", config.data_root)) if not path
        ]
        if missing or not config.results_dir or not config.data_root:
            raise SpecError(f"convert: {' and '.join(missing)}: found nothing, expected a folder")
        if config.nocc_mask_dir_name:
            logger.warning("nocc_mask_dir_name: set without effect; the reference never reads it either")
        return cls(
            results_dir=Path(config.results_dir).expanduser(),
            data_root=Path(config.data_root).expanduser(),
            image_dir_pattern=tuple(config.image_dir_pattern),
            depth_dir_pattern=tuple(config.depth_dir_pattern),
            right_dir_pattern=tuple(config.right_dir_pattern),
            nocc_dir_pattern=tuple(config.nocc_dir_pattern),
            image_extension=config.image_extension,
            depth_extension=config.depth_extension,
            nocc_extension=config.nocc_extension,
            split_ratio=config.split_ratio,
            seed=config.seed,
            overwrite=config.overwrite,
        )


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What was written."""

    files: tuple[tuple[Path, int], ...]
    """Annotation files and their numbers of lines."""
    skipped: int
    """Images left out because their ground truth or right image does not exist."""
    warnings: tuple[str, ...]


def convert(settings: ConvertSettings) -> ConvertReport:
    """Write ``train.txt`` and ``val.txt``, or ``test.txt``, to ``settings.results_dir``.

    The same tree and seed give the same files.

    Raises:
        DataError: nothing matches, no ground truth exists, a split would be empty, or a file exists and may not be
            replaced.
    """
    _refuse_existing(settings)
    images, warnings = find_images(settings)
    if not images:
        raise DataError(_describe_no_match(settings, warnings))
    rows = [
        columns
        for columns in (_columns_of(image, settings) for image in images)
        if all(path.is_file() for path in columns)
    ]
    skipped = len(images) - len(rows)
    if not rows:
        raise DataError(_describe_missing(images[0], settings, count=len(images)))
    if skipped:
        example = _describe_missing(_first_incomplete(images, settings), settings)
        warnings.append(f"{skipped} of {len(images)} images left out: {example}")
    splits = _split(rows, settings)
    settings.results_dir.mkdir(parents=True, exist_ok=True)
    for file, lines in splits:
        _write(file, (_format_row(columns, settings) for columns in lines))
    for warning in warnings:
        logger.warning("%s", warning)
    return ConvertReport(tuple((file, len(lines)) for file, lines in splits), skipped, tuple(warnings))


def find_images(settings: ConvertSettings) -> tuple[list[Path], list[str]]:
    """Return the images below ``data_root`` that match patterns and extension, sorted, and warnings."""
    if not settings.data_root.is_dir():
        message = (
            f"data_root: found {settings.data_root}, which is no folder; set it to the folder that holds the images"
        )
        raise DataError(message)
    matching = _matching(_walk(settings.data_root), settings)
    wanted = _dotted(settings.image_extension)
    suffixes = {wanted} if wanted else IMAGE_SUFFIXES
    images = [path for path in matching if path.suffix.lower() in suffixes]
    others = [
        path for path in matching if path.suffix.lower() in IMAGE_SUFFIXES - suffixes and settings.depth_dir_pattern
    ]
    warnings = []
    # Ground truth often matches the patterns too; only a second kind of photograph hints at a wrong extension.
    near_misses = [path for path in others if path.suffix.lower() != _dotted(settings.depth_extension)]
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


def _below_root(path: Path, settings: ConvertSettings) -> str:
    """The path below ``data_root``, with a leading slash so that a pattern may name a top folder as ``/rgb/``."""
    return "/" + path.relative_to(settings.data_root).as_posix()


def _root(settings: ConvertSettings) -> str:
    return f"{settings.data_root.absolute().as_posix()}/"


def _matching(paths: Sequence[Path], settings: ConvertSettings) -> list[Path]:
    """Return the paths with all patterns; one that no file below the root has may stand in the root's own path."""
    for pattern in settings.image_dir_pattern:
        having = [path for path in paths if pattern in _below_root(path, settings)]
        paths = having or [path for path in paths if pattern in _root(settings)]
    return list(paths)


def _columns_of(image: Path, settings: ConvertSettings) -> tuple[Path, ...]:
    """The files of one line: image, right image, ground truth, mask; the last three where patterns are given."""
    depth_suffix, mask_suffix = _dotted(settings.depth_extension), _dotted(settings.nocc_extension)
    optional = (
        (settings.right_dir_pattern, ""),
        (settings.depth_dir_pattern, depth_suffix),
        (settings.nocc_dir_pattern, mask_suffix),
    )
    partners = [_partner(image, patterns, suffix, settings) for patterns, suffix in optional if patterns]
    return (image, *partners)


def _partner(image: Path, patterns: Sequence[str], suffix: str, settings: ConvertSettings) -> Path:
    root, below = settings.data_root, _below_root(image, settings)
    for old, new in zip(settings.image_dir_pattern, patterns, strict=True):
        if old in _below_root(image, settings):
            below = below.replace(old, new)
        else:
            root = Path(f"{root.absolute().as_posix()}/".replace(old, new))
    path = root / below.removeprefix("/")
    partner = path.with_suffix(suffix) if suffix else path
    if partner == image:
        message = (
            f"depth_dir_pattern: {list(patterns)} in place of {list(settings.image_dir_pattern)} gives the image "
            f"itself, {image}; use patterns that lead to another file"
        )
        raise SpecError(message)
    return partner


def _split(rows: Sequence[tuple[Path, ...]], settings: ConvertSettings) -> list[tuple[Path, list[tuple[Path, ...]]]]:
    shuffled = list(rows)
    random.Random(settings.seed).shuffle(shuffled)  # noqa: S311 - an order of samples, no secret
    names = _split_names(settings)
    if len(names) == 1:
        return [(settings.results_dir / names[0], shuffled)]
    count = int(len(shuffled) * settings.split_ratio)
    if not 0 < count < len(shuffled):
        share = f"{settings.split_ratio} of {len(shuffled)} images"
        message = f"split_ratio: found {share}, which leaves a split empty; change it"
        raise DataError(message)
    parts = (shuffled[:count], shuffled[count:])
    return [(settings.results_dir / name, part) for name, part in zip(names, parts, strict=True)]


def _split_names(settings: ConvertSettings) -> tuple[str, ...]:
    return ("test.txt",) if settings.split_ratio in {0.0, 1.0} else ("train.txt", "val.txt")


def _refuse_existing(settings: ConvertSettings) -> None:
    existing = [str(path) for name in _split_names(settings) if (path := settings.results_dir / name).exists()]
    if existing and not settings.overwrite:
        message = f"already written: {', '.join(existing)}; set overwrite: true to replace, or another results_dir"
        raise DataError(message)


def _format_row(columns: Sequence[Path], settings: ConvertSettings) -> str:
    absolute = [path.absolute() for path in columns]
    folder = settings.results_dir.absolute()
    if settings.relative_paths and all(path.is_relative_to(folder) for path in absolute):
        return " ".join(quote_column(str(path.relative_to(folder))) for path in absolute)
    return " ".join(quote_column(str(path)) for path in absolute)


def _write(file: Path, lines: Iterable[str]) -> None:
    with whole(file) as unfinished:
        unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")


def _dotted(extension: str) -> str:
    bare = extension.strip().lower().lstrip(".")
    return f".{bare}" if bare else ""


def _first_incomplete(images: Sequence[Path], settings: ConvertSettings) -> Path:
    return next(image for image in images if not all(path.is_file() for path in _columns_of(image, settings)))


def _describe_missing(image: Path, settings: ConvertSettings, *, count: int = 1) -> str:
    missing = next(path for path in _columns_of(image, settings) if not path.is_file())
    images = f"none of {count} images has its ground truth; " if count > 1 else ""
    return f"{images}for {image} expected {missing}, which does not exist; check depth_dir_pattern and depth_extension"


def _describe_no_match(settings: ConvertSettings, warnings: Sequence[str]) -> str:
    examples = [_below_root(path, settings) for path in _walk(settings.data_root)[:_SHOWN]]
    found = f"found for example {', '.join(examples)}" if examples else "the folder is empty"
    hints = "".join(f"; {warning}" for warning in warnings)
    patterns = list(settings.image_dir_pattern)
    return (
        f"data_root {settings.data_root}: no file matches image_dir_pattern {patterns} and image_extension "
        f"'{settings.image_extension}'; {found}{hints}"
    )
