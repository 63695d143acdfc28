"""Find images and their ground truth in a folder tree and write annotation files.

The keys are those of the container; what differs is silent damage turned into an error or a warning: an existing file
is refused or replaced, never appended to; the shuffle has a seed; ground truth that does not exist is not listed;
images of one scene stay in one split, and folders that are splits keep their names; extensions are compared and
replaced at the end of a name only; patterns are looked for below ``data_root``, and in its own path only where no file
below has them. Paths with spaces are written in quotes. Published data sets are found by their names alone.
"""

from __future__ import annotations

import itertools
import logging
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from depth_net.config.tree import to_yaml
from depth_net.data.annotations import IMAGE_SUFFIXES, quote_column
from depth_net.data.folders import SPLIT_FOLDERS, divide, layout_pairs, split_folder, walk
from depth_net.data.layouts import LAYOUTS
from depth_net.errors import DataError, SpecError
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    if not config.depth_dir_pattern:
        warnings.append("depth_dir_pattern: nothing; the lines hold images alone, for inference")
    scenes = _scenes_of(rows, config)
    is_split = config.image_root.absolute().name.lower() in SPLIT_FOLDERS
    if len(scenes) == 1 and not is_split and any(path.is_dir() for path in _siblings(config)):
        warnings.append(f"all images lie in one folder, {rows[0][0].parent}; {_higher(config)}")
    return _write_splits(_split(scenes, config), config, warnings, relative_paths=relative_paths)


def convert_preset(name: str, config: ConvertConfig) -> tuple[ConvertReport, Path]:
    """Write the lists of a published data set, and ``data.yaml``, the part of a spec that reads them.

    Args:
        name: Of one of `depth_net.data.layouts.LAYOUTS`.
        config: Folders, ratio and seed; patterns are not read.

    Returns:
        The report, and the path of ``data.yaml``.

    Raises:
        DataError: the names of no image and its depth fit, or a file exists and may not be replaced.
    """
    layout = next((layout for layout in LAYOUTS if layout.name == name and layout.image), None)
    if layout is None or layout.image is None:
        known = ", ".join(layout.name for layout in LAYOUTS if layout.image)
        raise SpecError(f"--preset: found '{name}', expected one of {known}")
    files = walk(config.image_root)
    pairs = layout_pairs(layout, config.image_root, files)
    depths = [path for path in files if re.search(layout.depth, _below_root(path, config))]
    if not pairs:
        images = [path for path in files if re.search(layout.image, _below_root(path, config))]
        raise DataError(
            f"{config.image_root}: found {len(images)} images and {len(depths)} depth files with the names of "
            f"{layout.dataset_name}, and none that belong together; name the folder that holds both"
        )
    alone = len(depths) - len(pairs)
    warnings = [f"{alone} of {len(depths)} depth files have no image"] if alone else []
    rows = [(pair.image, pair.depth) for pair in pairs]
    scenes = _by_scene(rows, [pair.split for pair in pairs], [pair.scene for pair in pairs])
    report = _write_splits(_split(scenes, config), config, warnings)
    spec = config.output_folder / "data.yaml"
    sections = {
        f"{file.stem}_dataset": {
            "data_sources": [{"dataset_name": layout.dataset_name, "data_file": str(file.absolute())}]
        }
        for file, _ in report.files
    }
    with whole(spec) as unfinished:
        unfinished.write_text(to_yaml({"dataset": {"max_depth": layout.max_depth_m, **sections}}), encoding="utf-8")
    return report, spec


def _write_splits(
    splits: Mapping[str, Sequence[tuple[Path, ...]]],
    config: ConvertConfig,
    warnings: Sequence[str],
    *,
    relative_paths: bool = False,
) -> ConvertReport:
    files = {config.output_folder / f"{name}.txt": lines for name, lines in splits.items()}
    existing = [str(path) for path in files if path.exists()]
    if existing and not config.overwrite:
        message = f"already written: {', '.join(existing)}; set overwrite: true to replace, or another results_dir"
        raise DataError(message)
    base = config.output_folder.absolute() if relative_paths else None
    config.output_folder.mkdir(parents=True, exist_ok=True)
    for file, lines in files.items():
        _write(file, (_format_row(columns, base) for columns in lines))
    for warning in warnings:
        logger.warning("%s", warning)
    return ConvertReport(tuple((file, len(lines)) for file, lines in files.items()), tuple(warnings))


def find_images(config: ConvertConfig) -> tuple[list[Path], list[str]]:
    """Return the images below ``data_root`` that match patterns and extension, sorted, and warnings."""
    if not config.image_root.is_dir():
        message = (
            f"data_root: found {config.image_root}, which is no folder; set it to the folder that holds the images"
        )
        raise DataError(message)
    matching = _matching(walk(config.image_root), config)
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


def _scenes_of(rows: Sequence[tuple[Path, ...]], config: ConvertConfig) -> dict[str, list[tuple[Path, ...]]]:
    """Return the rows by split folder, if the images lie in such, else by the first folder in which they differ."""
    folders = [row[0].parent.relative_to(config.image_root).parts for row in rows]
    shared = 0
    while len({folder[: shared + 1] for folder in folders}) == 1 and len(folders[0]) > shared:
        shared += 1
    splits = [split_folder(row[0], config.image_root) for row in rows]
    return _by_scene(rows, splits, ["/".join(folder[: shared + 1]) for folder in folders])


def _by_scene(
    rows: Sequence[tuple[Path, ...]], splits: Sequence[str], scenes: Sequence[str]
) -> dict[str, list[tuple[Path, ...]]]:
    """Group rows by the folders of splits, if all lie in two or more of them, else by scene."""
    grouped: dict[str, list[tuple[Path, ...]]] = {}
    for row, key in zip(rows, splits if all(splits) and len(set(splits)) > 1 else scenes, strict=True):
        grouped.setdefault(key, []).append(row)
    return grouped


def _split(scenes: Mapping[str, list[tuple[Path, ...]]], config: ConvertConfig) -> dict[str, list[tuple[Path, ...]]]:
    """Return the rows by split: as the folders say, else one test split, or training and validation by the ratio."""
    if len(scenes) > 1 and set(scenes) <= set(SPLIT_FOLDERS.values()):
        return {name: scenes[name] for name in ("train", "val", "test") if name in scenes}
    rows = [row for scene in scenes.values() for row in scene]
    shuffle = random.Random(config.seed).shuffle  # noqa: S311 - an order of samples, no secret
    if config.split_ratio in {0.0, 1.0}:
        shuffle(rows)
        return {"test": rows}
    groups = list(scenes.values()) if config.split_by == "scene" else [[row] for row in rows]
    shuffle(groups)
    if len(groups) == 1:
        message = f"split_by: found one scene with {len(rows)} images, expected two or more; {_higher(config)}"
        raise DataError(message)
    count = divide(groups, config.split_ratio) if config.split_by == "scene" else int(config.split_ratio * len(rows))
    if not 0 < count < len(groups):
        share = f"{config.split_ratio} of {len(rows)} images in {len(groups)} groups"
        message = f"split_ratio: found {share}, which leaves a split empty; change it"
        raise DataError(message)
    train, val = (list(itertools.chain.from_iterable(part)) for part in (groups[:count], groups[count:]))
    for part in (train, val):
        shuffle(part)
    return {"train": train, "val": val}


def _siblings(config: ConvertConfig) -> Iterable[Path]:
    root = config.image_root.absolute()
    return (path for path in root.parent.iterdir() if path != root)


def _higher(config: ConvertConfig) -> str:
    return (
        f"if it is one of several, set data_root to {config.image_root.absolute().parent}; if it is all there is, "
        "split_by=frame splits its images"
    )


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
    examples = [_below_root(path, config) for path in walk(config.image_root)[:_SHOWN]]
    found = f"found for example {', '.join(examples)}" if examples else "the folder is empty"
    hints = "".join(f"; {warning}" for warning in warnings)
    patterns = list(config.image_dir_pattern)
    return (
        f"data_root {config.image_root}: no file matches image_dir_pattern {patterns} and image_extension "
        f"'{config.image_extension}'; {found}{hints}"
    )
