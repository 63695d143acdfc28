"""Images and depth in a folder: which image belongs to which depth, which scenes are validated on.

Published data sets are found by the names in depth_net.data.layouts. In other folders an image and its depth have one
name, apart from words such as rgb and depth in the names of files and folders: ``rgb/0001.jpg`` and ``depth/0001.png``,
``0001.jpg`` and ``0001_depth.npy``. Lists are read by depth_net.data.annotations.
"""

from __future__ import annotations

import logging
import os
import random
import re
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from depth_net.config.choices import FolderPart, SplitBy
from depth_net.data.annotations import IMAGE_SUFFIXES, Row
from depth_net.data.layouts import LAYOUTS, Layout
from depth_net.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

logger = logging.getLogger(__name__)

SPLIT_FOLDERS: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Names of folders that are splits."""
VALIDATED_SHARE: Final = 0.2
_SEED: Final = 1234
_IMAGE_WORDS: Final = frozenset(
    (
        "rgb",
        "image",
        "images",
        "img",
        "imgs",
        "color",
        "colors",
        "colour",
        "colours",
        "left",
        "input",
        "inputs",
        "photo",
    )
)
_DEPTH_WORDS: Final = frozenset(
    ("depth", "depths", "gt", "groundtruth", "disparity", "disparities", "disp", "disps", "target", "targets")
)
_BESIDE_DEPTH: Final = frozenset(("ground", "truth", "map", "maps", "sync", "raw", "label", "labels", "file", "files"))
"""Words that stand beside those for depth and alone mean nothing."""
_OTHER_WORDS: Final = frozenset(
    ("mask", "masks", "confidence", "conf", "right", "normal", "normals", "vis", "preview", "semantic", "segmentation")
)
_WORDS: Final = _IMAGE_WORDS | _DEPTH_WORDS | _BESIDE_DEPTH | _OTHER_WORDS
_DEPTH_SUFFIXES: Final = frozenset({".png", ".pfm", ".npy", ".npz", ".h5", ".hdf5", ".tif", ".tiff", ".exr"})
OTHER_PICTURES: Final = frozenset((".heic", ".heif", ".webp", ".bmp", ".gif", ".avif", ".tif", ".tiff", ".dng", ".cr2"))
"""Kinds of picture that are not read as images."""
_SHOWN: Final = 3
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and its depth."""

    image: Path
    depth: Path
    scene: str
    split: str
    """``train``, ``val`` or ``test``, if the files lie below a folder of such a name; else empty."""


def walk(root: Path) -> list[Path]:
    """Return the files below a folder, sorted, links followed, without hidden ones."""
    found: list[Path] = []
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith(".") and name != "__MACOSX")
        found.extend(Path(folder, name) for name in names if not name.startswith("."))
    return sorted(found)


def read_folder(root: Path, part: FolderPart | None, split_by: SplitBy | None) -> tuple[Row, ...]:
    """Return the rows of a folder that holds images and depth.

    Args:
        root: The folder.
        part: The scenes of one split; None for all.
        split_by: Whether scenes or single images are divided where no folders are splits.

    Raises:
        DataError: no image with its depth is found, or the images cannot be divided; says what was seen.
    """
    pairs = find_pairs(root)
    if not pairs:
        raise DataError(_describe_nothing(root))
    chosen = pairs if part is None else _part_of(pairs, part, split_by or SplitBy.SCENE, root)
    return tuple(Row(pair.image, pair.depth, line) for line, pair in enumerate(chosen, start=1))


def read_images(root: Path) -> tuple[Row, ...]:
    """Return the images of a folder without their depth, for inference.

    Raises:
        DataError: there is no image.
    """
    files = walk(root)
    depths = {pair.depth for pair in find_pairs(root)}
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES and path not in depths]
    if not images:
        raise DataError(f"{root}: found no image{_seen(files)}; expected .png, .jpg or .jpeg")
    others = [path for path in files if path.suffix.lower() in OTHER_PICTURES]
    if others:
        logger.warning(
            "%s: %d pictures such as %s are left out; only PNG and JPEG are read", root, len(others), others[0]
        )
    return tuple(Row(image, None, line) for line, image in enumerate(images, start=1))


def find_pairs(root: Path) -> list[Pair]:
    """Return all images of a folder that have depth, by the published names that fit most files, else by words.

    Raises:
        DataError: several files have the name of one image or depth.
    """
    files = walk(root)
    published = max((layout_pairs(layout, root, files) for layout in LAYOUTS if layout.image), key=len)
    return published or _word_pairs(root, files)


def images_without_depth(root: Path) -> list[Path]:
    """Return the images of a folder of images and depth that belong to no depth, and so are left out."""
    pairs = find_pairs(root)
    used = {path for pair in pairs for path in (pair.image, pair.depth)}
    others = (path for path in walk(root) if path.suffix.lower() in IMAGE_SUFFIXES and path not in used)
    return [path for path in others if not _key_of(path, root)[1] & (_OTHER_WORDS | _DEPTH_WORDS)]


def layout_pairs(layout: Layout, root: Path, files: Iterable[Path]) -> list[Pair]:
    """Return the images and depth among files below ``root`` that have the names of a published data set."""
    images, depths = (_matches(pattern, root, files) for pattern in (layout.image or "", layout.depth))
    return [
        Pair(images[key][0], depth, found["scene"], split_folder(depth, root))
        for key, (depth, found) in depths.items()
        if key in images
    ]


def split_folder(path: Path, root: Path) -> str:
    """Return ``train``, ``val`` or ``test`` for a path below a folder of such a name; else empty."""
    parts = path.relative_to(root).parts[:-1]
    return next((SPLIT_FOLDERS[part.lower()] for part in parts if part.lower() in SPLIT_FOLDERS), "")


def divide(groups: Sequence[Sequence[_T]], share: float) -> int:
    """Return how many of the first groups together come nearest to a share of all their members."""
    ends = list(accumulate(len(group) for group in groups))
    return 1 + min(range(len(ends)), key=lambda index: abs(ends[index] - share * ends[-1]))


def _matches(
    pattern: str, root: Path, files: Iterable[Path]
) -> dict[tuple[tuple[str, str], ...], tuple[Path, re.Match[str]]]:
    texts = ((path, "/" + path.relative_to(root).as_posix()) for path in files)
    found = ((path, match) for path, text in texts if (match := re.search(pattern, text)))
    return {tuple(sorted(match.groupdict().items())): (path, match) for path, match in found}


def _word_pairs(root: Path, files: Iterable[Path]) -> list[Pair]:
    images: dict[tuple[str, ...], Path] = {}
    depths: dict[tuple[str, ...], Path] = {}
    for path in files:
        key, words = _key_of(path, root)
        suffix = path.suffix.lower()
        is_depth = suffix not in IMAGE_SUFFIXES or (bool(words & _DEPTH_WORDS) and suffix in _DEPTH_SUFFIXES)
        if words & _OTHER_WORDS or suffix not in IMAGE_SUFFIXES | _DEPTH_SUFFIXES:
            continue
        kind = depths if is_depth else images
        if key in kind:
            raise DataError(
                f"{root}: {kind[key].relative_to(root)} and {path.relative_to(root)} are both the "
                f"{'depth' if is_depth else 'image'} of one name; remove one of the two, or write a list with "
                "'<image> <ground truth>' in each line"
            )
        kind[key] = path
    pairs = [(key, images[key], depth) for key, depth in depths.items() if key in images]
    end = _shared([key[:-1] for key, _, _ in pairs]) + 1
    return [
        Pair(image, depth, "/".join(key[:-1][:end]), split_folder(image, root))
        for key, image, depth in sorted(pairs, key=lambda pair: pair[1])
    ]


def _key_of(path: Path, root: Path) -> tuple[tuple[str, ...], set[str]]:
    """Return a path below ``root`` without the words for image and depth, and these words.

    In names of folders they count only where the folder has no other name: ``image_02`` is one, ``depth_street`` not.
    """
    words: set[str] = set()
    steps = []
    *folders, name = path.relative_to(root).with_suffix("").parts
    for part in folders:
        tokens = _tokens(part)
        if all(token in _WORDS or token.isdigit() for token in tokens):
            words.update(tokens)
            tokens = [token for token in tokens if token not in _WORDS]
        steps.append("_".join(tokens))
    words.update(_tokens(name))
    own = "_".join(token for token in _tokens(name) if token not in _WORDS)
    return (*(step for step in steps if step), own), words


def _tokens(name: str) -> list[str]:
    return [token for token in re.split(r"[^0-9a-z]+|(?<=[a-z])(?=[0-9])", name.lower()) if token]


def _shared(folders: Sequence[tuple[str, ...]]) -> int:
    """Return how many of their first folders all paths have in common."""
    shared = 0
    while folders and len({folder[: shared + 1] for folder in folders}) == 1 and len(folders[0]) > shared:
        shared += 1
    return shared


def _part_of(pairs: Sequence[Pair], part: FolderPart, split_by: SplitBy, root: Path) -> list[Pair]:
    named = {pair.split for pair in pairs}
    if "" not in named and len(named) > 1:
        chosen = [pair for pair in pairs if pair.split == part]
        if not chosen:
            raise DataError(f"{root}: found folders for {', '.join(sorted(named))}, and none for {part}; name its data")
        return chosen
    groups: dict[object, list[Pair]] = {}
    for index, pair in enumerate(pairs):
        groups.setdefault(pair.scene if split_by is SplitBy.SCENE else index, []).append(pair)
    if len(groups) < 2:  # noqa: PLR2004 - one for each split
        raise DataError(
            f"{root}: found one scene with {len(pairs)} images, which cannot be divided into training and validation; "
            "name the validation data too (--data val=FOLDER), or divide single images: split_by=frame beside both "
            "data_file"
        )
    if part is FolderPart.TEST:
        raise DataError(f"{root}: found no folder named test; expected one for part=test")
    shuffled = list(groups.values())
    random.Random(_SEED).shuffle(shuffled)  # noqa: S311 - an order of scenes, no secret
    count = min(divide(shuffled, 1 - VALIDATED_SHARE), len(shuffled) - 1)
    chosen_groups = shuffled[:count] if part is FolderPart.TRAIN else shuffled[count:]
    kept = {pair.image for group in chosen_groups for pair in group}
    return [pair for pair in pairs if pair.image in kept]


def _describe_nothing(root: Path) -> str:
    known = ", ".join(layout.dataset_name for layout in LAYOUTS if layout.image)
    return (
        f"{root}: found no image with its depth{_seen(walk(root))}; expected the names of {known}, or equal names in "
        "folders such as rgb and depth (rgb/0001.jpg, depth/0001.png), or 0001.jpg beside 0001_depth.png; else write "
        "a list with '<image> <ground truth>' in each line"
    )


def _seen(files: Sequence[Path]) -> str:
    if not files:
        return " (the folder is empty)"
    kinds = ", ".join(f"{count} {suffix or 'without ending'}" for suffix, count in _count_suffixes(files))
    return f" among {len(files)} files ({kinds}; such as {', '.join(str(file) for file in files[:_SHOWN])})"


def _count_suffixes(files: Iterable[Path]) -> list[tuple[str, int]]:
    return Counter(path.suffix.lower() for path in files).most_common(6)
