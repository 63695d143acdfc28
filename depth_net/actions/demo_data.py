"""Write the demo data: rendered rooms as a raw NYU set, and the motorcycle photograph as a disparity set.

A finished set is kept, an unfinished one is replaced: everything is made in a temporary folder beside its place, moved
there, and only then marked as finished in ``demo_data.json``. The annotation files come from `convert` and name files
relative to themselves.
"""

from __future__ import annotations

import fcntl
import json
import logging
import multiprocessing
import os
import re
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from depth_net.actions.convert import convert
from depth_net.config.actions import ConvertConfig
from depth_net.data.annotations import read_annotations
from depth_net.data.motorcycle import write_motorcycle
from depth_net.data.rooms import write_scene
from depth_net.errors import DataError
from depth_net.regular_file import open_regular
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

_MARKER = "demo_data.json"
_LOCK = ".demo_data.lock"
_PARTS = ("rooms", "motorcycle")
_OWN = re.compile(
    r"(rooms|motorcycle)/(train|val|test)\.txt|motorcycle/(train|val)/(left|disparity)_\d+_\d+\.(png|pfm)"
    r"|rooms/(train|val|test)/room_\d+/(rgb_\d+\.jpg|sync_depth_\d+\.png)"
)
_VERSION = 1
"""Raise when the images change, so that older sets are replaced."""
_LEAST_IMAGES_PER_PROCESS = 16
"""Starting a process takes as long as rendering about ten images."""
_REPORTS_PER_SPLIT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """How many rooms are rendered; the motorcycle set is always 100 + 20 tiles."""

    train_images: int = 100
    val_images: int = 24
    test_images: int = 40
    views_per_scene: int = 2
    height: int = 120
    width: int = 160
    seed: int = 1

    def images(self) -> dict[str, int]:
        """Number of rendered images of each split, in the order in which they are made."""
        return {"train": self.train_images, "val": self.val_images, "test": self.test_images}


@dataclass(frozen=True, slots=True)
class _SceneJob:
    folder: Path
    seed: tuple[int, ...]
    views: int
    height: int
    width: int


def write_demo_data(
    directory: Path, *, settings: DemoSettings | None = None, report: Callable[[str], None] = logger.info
) -> None:
    """Write ``rooms/{train,val,test}.txt`` and ``motorcycle/{train,val}.txt`` with their images below ``directory``.

    Args:
        directory: Created if missing; other files in it are left alone.
        settings: Sizes and seed. A finished set made with the same settings is kept.
        report: Called with one line per event.

    Raises:
        DataError: ``rooms`` or ``motorcycle`` exists and was not written by this function, or holds a file or link that
            was not.
    """
    settings = settings or DemoSettings()
    started = time.monotonic()
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        if is_finished(directory, settings):
            report(f"demo data  kept  {directory}")
            return
        _refuse_foreign(directory)
        temporary = directory / f".demo_data-{os.getpid()}"
        try:
            _write_rooms(temporary / "rooms", settings, report)
            tiles = write_motorcycle(temporary / "motorcycle")
            report(f"motorcycle  {tiles['train']} train, {tiles['val']} val tiles")
            _list_samples(temporary, settings)
            _move_into_place(temporary, directory, settings)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # its own
    report(f"demo data  written  {directory}  {time.monotonic() - started:.1f} s")


def is_finished(directory: Path, settings: DemoSettings) -> bool:
    """Whether ``directory`` holds a complete set made with ``settings``: marked so, every listed file present."""
    try:
        with open_regular(directory / _MARKER) as stream:
            marker = json.loads(stream.read())
    except (OSError, ValueError):
        return False
    if marker != _describe(settings, finished=True):
        return False
    try:
        for split in settings.images():
            read_annotations(directory / "rooms" / f"{split}.txt")
        for split in ("train", "val"):
            read_annotations(directory / "motorcycle" / f"{split}.txt")
    except DataError:
        return False
    return True


def _write_rooms(directory: Path, settings: DemoSettings, report: Callable[[str], None]) -> None:
    counts = settings.images()
    processes = min(len(os.sched_getaffinity(0)), sum(counts.values()) // _LEAST_IMAGES_PER_PROCESS)
    with _pool(processes) as run:
        rendering = {
            split: run(_render, list(_scene_jobs(directory / split, settings, number, total)))
            for number, (split, total) in enumerate(counts.items())
        }
        for split, finished in rendering.items():
            total, done, reported = counts[split], 0, 0
            for views in finished:
                done += views
                if done - reported >= total / _REPORTS_PER_SPLIT or done == total:
                    reported = done
                    report(f"rooms  {split:5}  {done:3d}/{total} images")


@contextmanager
def _pool(processes: int) -> Iterator[Callable[[Callable[[_SceneJob], int], list[_SceneJob]], Iterator[int]]]:
    """Give a ``map`` that works in several processes, or here if one would do."""
    if processes <= 1:
        yield map
        return
    # Spawned, not forked: the caller may hold threads. The children import numpy and OpenCV only.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.map


def _scene_jobs(folder: Path, settings: DemoSettings, split_number: int, images: int) -> Iterator[_SceneJob]:
    for scene, first in enumerate(range(0, images, settings.views_per_scene)):
        yield _SceneJob(
            folder=folder / f"room_{scene:04d}",
            seed=(settings.seed, split_number, scene),
            views=min(settings.views_per_scene, images - first),
            height=settings.height,
            width=settings.width,
        )


def _render(job: _SceneJob) -> int:
    write_scene(job.folder, seed=job.seed, views=job.views, height=job.height, width=job.width)
    return job.views


def _list_samples(directory: Path, settings: DemoSettings) -> None:
    for split in settings.images():
        _convert_one(directory / "rooms", split, ("rgb_", "sync_depth_"), ("jpg", "png"))
    for split in ("train", "val"):
        _convert_one(directory / "motorcycle", split, ("left_", "disparity_"), ("png", "pfm"))


def _convert_one(part: Path, split: str, patterns: tuple[str, str], extensions: tuple[str, str]) -> None:
    """List one split, which `convert` calls ``test.txt`` when nothing is split off, under its own name."""
    renamed = part / f"{split}.txt"
    config = ConvertConfig(
        results_dir=str(part),
        data_root=str(part / split),
        image_dir_pattern=(patterns[0],),
        depth_dir_pattern=(patterns[1],),
        image_extension=extensions[0],
        depth_extension=extensions[1],
    )
    report = convert(config, relative_paths=True)
    report.files[0][0].replace(renamed)


def _move_into_place(temporary: Path, directory: Path, settings: DemoSettings) -> None:
    _mark(directory, settings, finished=False)
    for part in _PARTS:
        shutil.rmtree(directory / part, ignore_errors=True)  # its own: `_refuse_foreign`
        (temporary / part).rename(directory / part)
    _mark(directory, settings, finished=True)


def _mark(directory: Path, settings: DemoSettings, *, finished: bool) -> None:
    with whole(directory / _MARKER) as unfinished:
        unfinished.write_text(json.dumps(_describe(settings, finished=finished), indent=2) + "\n", encoding="utf-8")


def _describe(settings: DemoSettings, *, finished: bool) -> dict[str, object]:
    return {"version": _VERSION, "finished": finished, "settings": asdict(settings)}


def _refuse_foreign(directory: Path) -> None:
    """Refuse to replace parts that hold anything else than this module writes."""
    parts = [directory / part for part in _PARTS if (directory / part).exists() or (directory / part).is_symlink()]
    if parts and not (directory / _MARKER).exists():
        found = f"{', '.join(map(str, parts))} without {_MARKER}"
    else:
        below = [path for part in parts if not part.is_symlink() for path in part.rglob("*")]
        links = [path for path in (*parts, *below) if path.is_symlink()]
        files = [path for path in below if path.is_file() and not _OWN.fullmatch(str(path.relative_to(directory)))]
        found = str(next(iter(links + files), ""))
    if found:
        message = f"found {found}, which demo-data did not write; choose another folder or remove it"
        raise DataError(message)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process at a time write; the others then find a finished set."""
    with (directory / _LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
