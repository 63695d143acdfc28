"""Attacks of the storage under a study: closed files, a read-only file system, a full disk, a HOME that is none.

They need root, and the latter two the right to mount; elsewhere there are none. What root may do more than others is
given up meanwhile, so that files of another user and without rights are refused as they are for everyone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from automl.errors import AutomlError
from automl.executor.loop import StudyLoop
from automl.schedulers.base import Scheduler
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state
from automl.study.trial import Measurement, TrialResult, TrialState
from benchmarks.orchestration.attack_input import commands_on, tried
from tests.automl.executor.toy_study import ListSearcher, toy_location, toy_plan
from tests.automl.skill.packages import write_skill

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from automl.study.model import StudyPlan

_NOBODY = 65534
_OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
_VERSION = 0x20080522
_MODES = (0o000, 0o200, 0o400, 0o100)
_TRIALS = 6
_STATUSES = {0, 1, 2, 3, 4}


def closed(study: Path, source: random.Random, folder: Path) -> str:
    """Take the rights to files and folders of a study or of a skill away: what may not be read is named."""
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    skill = write_skill(folder / "skill", schema={"properties": {}}, template={"train": {"lr": 0.1}})
    below = [path for top in (root, skill) for path in (top, *sorted(top.rglob("*"))) if not path.is_symlink()]
    for path in source.sample(below, source.randint(1, 4)):
        if source.random() < 0.5:  # noqa: PLR2004 # as often
            os.chown(path, _NOBODY, _NOBODY)
        path.chmod(source.choice(_MODES))
    commands = [*commands_on(root, folder), ["clean", "--yes", str(root.parent)]]
    commands += [[name, "--skill", str(skill)] for name in ("plan", "check", "space")] + [["list", str(folder)]]
    try:
        with _without_overrides():
            return tried(source.choice(commands), source, folder, _STATUSES)
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)  # else nothing deletes it


def read_only(study: Path, source: random.Random, folder: Path) -> str:
    """Mount a study, or all of the results, read-only: what only reads works, the rest says so; nothing changes."""
    place = folder / "results" if source.random() < 0.5 else folder / "results" / study.name  # noqa: PLR2004 # as often
    with _mounted(place, "size=200m"):
        root = folder / "results" / study.name
        shutil.copytree(study, root, symlinks=True, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        reads = [["status"], ["status", "--json"], ["compare"], ["logs"], ["list"]]
        command = source.choice([*commands_on(root, folder), ["clean", "--yes", str(root.parent)]])
        is_read = [command[0]] in reads
        return tried(command, source, folder, {0} if is_read else _STATUSES)


def full(_: Path, source: random.Random, folder: Path) -> str:
    """Let the disk of a study be full at a random event: it ends with the cause, and goes on where there is room."""
    disk = folder / "disk"
    size_kib = source.randint(8, 80) * 4
    # Without what keeps a trial from being started on a disk that is nearly full: another program fills it meanwhile.
    with _mounted(disk, f"size={size_kib}k"), mock.patch("automl.trial.disk.free_bytes", return_value=1 << 40):
        plan = toy_plan(folder / "skill", trials=_TRIALS)
        problem, ended = "", -1
        try:
            _run(plan, disk)
        except AutomlError as error:
            problem = str(error)
        except OSError as error:
            return f"{size_kib} KiB: {type(error).__name__}: {error}"
        if problem and ("No space left" not in problem or "automl resume" not in problem):
            return f"{size_kib} KiB: {problem}"
        if StudyPaths(disk / "study").events_file.is_file():
            with contextlib.suppress(AutomlError):
                ended = len(read_state(StudyPaths(disk / "study")).ended)
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        for filler in disk.glob("study/trials/*/filler"):
            filler.unlink()
        _run(plan, disk)
        state = read_state(StudyPaths(disk / "study"))
        return "" if len(state.ended) == _TRIALS >= ended else f"{size_kib} KiB: {len(state.ended)} of {_TRIALS} ended"


def _run(plan: StudyPlan, disk: Path) -> None:
    """Run a study on a disk, or go on with it; each trial leaves some kilobytes."""
    location = toy_location(disk)
    location.directory.mkdir(parents=True, exist_ok=True)
    searcher = ListSearcher([{"quality": 0.1 * number} for number in range(_TRIALS)])
    loop = StudyLoop(plan, location, searcher=searcher, scheduler=Scheduler(), trackers=())
    loop.open()
    while not loop.is_over and (task := loop.next_task()) is not None:
        task.directory.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # a trainer that ignores it
            (task.directory / "filler").write_bytes(b"x" * 9000)
        loop.measured(task.number, Measurement(epoch=0, values={"val/d1": 0.5}))
        loop.ended(
            TrialResult(
                number=task.number,
                state=TrialState.COMPLETED,
                assignment=dict(task.proposal.assignment),
                directory=f"trials/{task.directory.name}",
                values={"val/d1": 0.5},
            )
        )


def strange_home(study: Path, source: random.Random, folder: Path) -> str:
    """Let HOME be a link, a loop, a file, a folder that may not be written, or nothing: it changes no outcome."""
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    home = folder / "home"
    (folder / "elsewhere").mkdir()
    make: dict[str, Callable[[], object]] = {
        "a link": partial(home.symlink_to, "elsewhere"),
        "a loop": partial(home.symlink_to, "home"),
        "a link to nothing": partial(home.symlink_to, "nowhere"),
        "a file": home.touch,
        "a closed folder": partial(home.mkdir, 0o000),
        "nothing": lambda: None,
        "a pipe": partial(os.mkfifo, home),
    }
    kind = source.choice(list(make))
    make[kind]()
    commands = [*commands_on(root, folder), ["plan", "toy/quick"], ["check", "--skill", "toy"], ["list"]]
    commands += [["doctor", "toy/quick"], ["space", "--skill", "depth_net_mono"], ["init", "train.py"]]
    command = source.choice(commands)
    with mock.patch.dict(os.environ, {"HOME": str(home)}), _without_overrides():
        problem = tried(command, source, folder, _STATUSES - {1})
    return f"HOME is {kind}: {problem}" if problem else ""


@contextlib.contextmanager
def _mounted(place: Path, options: str) -> Iterator[None]:
    """Mount an empty file system in memory."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextlib.contextmanager
def _without_overrides() -> Iterator[None]:
    """Give up, for this thread, what lets root open every file."""
    libc = ctypes.CDLL(None, use_errno=True)
    head, data = (ctypes.c_uint32 * 2)(_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(head, data):
        raise OSError(ctypes.get_errno(), "capget")
    before = data[0]
    data[0] = before & ~_OVERRIDES
    if libc.capset(head, data):
        raise OSError(ctypes.get_errno(), "capset")
    try:
        yield
    finally:
        data[0] = before
        libc.capset(head, data)


def _may_mount() -> bool:
    """Tell whether this process may mount file systems."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(next(line.split()[1] for line in text.splitlines() if line.startswith("CapEff")), 16)
    return bool(effective >> 21 & 1) and os.geteuid() == 0  # CAP_SYS_ADMIN


KINDS: dict[str, Callable[[Path, random.Random, Path], str]] = {
    "files may not be read": closed,
    "HOME is no usual folder": strange_home,
    "the file system is read-only": read_only,
    "the disk is full": full,
}
if not _may_mount():
    KINDS = dict(list(KINDS.items())[:2]) if os.geteuid() == 0 else {}
