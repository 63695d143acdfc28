"""Attacks of trainers: what they leave in their folders, how much they write, which names they give; moved folders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_metric_name

from automl.errors import AutomlError
from automl.executor.loop import StudyLoop
from automl.executor.retention import retire_checkpoints
from automl.handoff.best import select_best
from automl.handoff.cleaning import take_inventory
from automl.handoff.integrity import require_sound
from automl.html_report.page import write_report
from automl.readers.status_file import StatusReader
from automl.schedulers.base import Scheduler
from automl.storage.deletion import delete
from automl.storage.event_log import Entry, EventLog, read_log
from automl.storage.held_study import held_study
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_results
from automl.storage.study_document import study_document
from automl.storage.trainer_files import files_below
from automl.study.events import Measured
from automl.study.trial import Measurement, TrialResult, TrialState
from automl.tracking.mlflow.files import content_of
from automl.tracking.mlflow.projection import Projection
from automl.tracking.mlflow.uploads import UploadKind, files_of, trial_files
from automl.tracking.tensorboard import TensorboardTracker
from automl.trial.checkpoints import list_checkpoints
from automl.trial.history import MOST_EPOCHS, TrialHistory
from automl.trial.reporter import REPORTS_PER_S, Reporter
from benchmarks.orchestration.attack_package import called
from tests.automl.executor.toy_study import ListSearcher, toy_location, toy_plan
from tests.automl.trial.flat_task import empty_history

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

_PATIENCE_S = 60.0
"""What waits for a pipe, or reads terabytes, takes longer; what has a twentieth of a processor does not."""
_REPORTED = 0.2
"""The share of cases with a report, which takes a second."""
_OF_BEST = 0.3
"""The share of plants in place of a checkpoint that is there, where there is one."""
_SECRET = "the secret of this machine"  # noqa: S105 # of a test
_NAMES = (
    *("status.json", "train/status.json", "train.log", "spec.json", "spec.yaml", "result.json", "attempt.json", "stop"),
    *("model_epoch_003_step_99999.pth", "model_epoch_000.pth", "toy_latest.pth", "metrics.json", "x.partial"),
    *("panels/epoch_003.png", "panels/epoch_999.png", "panels", "train", "events.out.tfevents.1.x.automl"),
    *("Status.JSON", "STATUS.json", "model_epoch_003_step_99999.PTH", "modell_e\u0301poch_003.pth", "mod\u00e9l.pth"),
    *("status.json\n", "model_epoch_003\n_step_00240.pth", "panels/a\nb.png", "panels/\u202eepoch_001.png"),
)


class TooLong(BaseException):
    """Something takes too long; what is attacked catches what is an Exception, and a TimeoutError is an OSError."""


def planted(study: Path, source: random.Random, folder: Path) -> str:
    """Plant pipes, devices, links and huge files in place of what is read: nothing waits, and no secret is shown."""
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    secret = folder / "secret"
    secret.write_text(f'{{"epoch": 1, "kpi": {{"{_SECRET}": 0.5}}}}\n', encoding="utf-8")
    attempts = [path for path in StudyPaths(root).trials.iterdir() if path.is_dir()]
    done = []
    for _ in range(source.randint(1, 4)):
        attempt, name, kind = source.choice(attempts), source.choice(_NAMES), source.choice(list(_PLANTS))
        file = attempt / name
        if source.random() < _OF_BEST:
            file = source.choice([*files_below(attempt, "*.pth"), file])
        with contextlib.suppress(OSError):  # a plant in the way of another one
            file.parent.mkdir(parents=True, exist_ok=True)
            delete(file, inside=root.resolve())
            _PLANTS[kind](file, secret)
            done.append(f"{kind} {file.relative_to(root)}")
    with impatience():
        problem = _use(root, is_reported=source.random() < _REPORTED)
    return f"{', '.join(done)}: {problem}" if problem else ""


def swapped(study: Path, source: random.Random, folder: Path) -> str:
    """Swap a file for a pipe or a link while it is read, again and again: nothing waits, and no secret is shown."""
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    secret = folder / "secret"
    secret.write_text(f'{{"epoch": 1, "kpi": {{"{_SECRET}": 0.5}}}}\n', encoding="utf-8")
    attempt = source.choice([path for path in StudyPaths(root).trials.iterdir() if path.is_dir()])
    file = attempt / source.choice(
        [name for name in ("status.json", "train.log", "spec.json") if (attempt / name).exists()]
    )
    kind, is_over = source.choice(["pipe", "link to a secret", "link to itself"]), threading.Event()
    content, other = file.read_bytes(), file.with_name("other")

    def swap() -> None:
        while not is_over.is_set():
            _PLANTS[kind](other, secret)
            other.replace(file)
            other.write_bytes(content)
            other.replace(file)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        with impatience():
            problem = _use(root, is_reported=source.random() < _REPORTED)
    finally:
        is_over.set()
        thread.join()
    return f"{kind} {file.relative_to(root)}: {problem}" if problem else ""


def _use(root: Path, *, is_reported: bool) -> str:
    """Do everything with a study that reads its trials; return what went wrong."""
    paths = StudyPaths(root)
    shown: list[bytes] = []
    naming = read_plan(paths).architecture().checkpoints
    uses: dict[str, Callable[[], object]] = {
        **({"report": lambda: shown.append(write_report(root).read_bytes())} if is_reported else {}),
        "status": lambda: shown.append(json.dumps(study_document(root)).encode()),
        "logs": lambda: shown.extend(called(["logs", str(root), n], root.parent)[1].encode() for n in "012"),
        "record": lambda: shown.extend(_stored(paths)),
        "clean": lambda: take_inventory(root.parent),
        "sync": lambda: require_sound(paths),
        "continue": lambda: [list_checkpoints(path, naming) for path in paths.trials.iterdir()],
        "best": lambda: select_best(root),
        "retire": lambda: retire_checkpoints(paths, read_results(paths), naming, kept=set()),
    }
    for name, use in uses.items():
        try:
            use()
        except AutomlError:
            pass  # a refusal
        except Exception as error:  # noqa: BLE001 # a traceback is what is looked for
            return f"{name}: {type(error).__name__}: {error}"
    kept = [file.read_bytes() for file in paths.best.rglob("*") if file.is_file()]
    return "the secret is shown" if any(_SECRET.encode() in text for text in (*shown, *kept)) else ""


def _stored(paths: StudyPaths) -> Iterator[bytes]:
    for result in read_results(paths):
        for upload in files_of(trial_files(result), paths):
            with contextlib.suppress(MlflowException):  # it is refused
                yield content_of(upload, paths)


def _device(file: Path, _: Path) -> None:
    try:
        os.mknod(file, 0o600 | 0o020000, os.makedev(1, 5))  # as /dev/zero
    except OSError:
        file.symlink_to("/dev/zero")


def _socket(file: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(file.parent):
        server.bind(file.name)


def _sparse(file: Path, _: Path) -> None:
    file.touch()
    os.truncate(file, 10 << 40)


def _deep(file: Path, _: Path) -> None:
    file.mkdir()
    here = os.open(file, os.O_RDONLY)
    for _level in range(3000):  # beyond Python's recursion, and beyond the longest path
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


_PLANTS: dict[str, Callable[[Path, Path], object]] = {
    "pipe": lambda file, _: os.mkfifo(file),
    "socket": _socket,
    "device": _device,
    "link to a secret": lambda file, secret: file.symlink_to(secret),
    "hard link to nothing": lambda file, _: file.symlink_to("/proc/self/fd/0"),
    "link to itself": lambda file, _: file.symlink_to(file.name),
    "link to the study": lambda file, _: file.symlink_to(file.parents[2]),
    "link to the machine": lambda file, _: file.symlink_to("/"),
    "sparse file": _sparse,
    "folder": lambda file, _: file.mkdir(),
    "deep folder": _deep,
    "no rights": lambda file, _: file.touch(mode=0),
    "a million digits": lambda file, _: file.write_text('{"epoch": ' + "9" * 1_000_000 + "}\n", encoding="utf-8"),
    "noise": lambda file, _: file.write_bytes(os.urandom(4096)),
}


def flooded(_: Path, source: random.Random, folder: Path) -> str:
    """Write a flood of status lines: the rate holds also at the end, and the last value and the best are known."""
    lines, epochs = source.choice([1_000, 5_000]), source.choice([1, 3, 500, 50_000])
    metrics, fewer = source.choice([(1, 1), (1, 1), (5, 1), (3_000, 200)])
    lines //= fewer
    values = [round(source.random(), 6) for _ in range(lines)]
    with (folder / "status.json").open("w", encoding="utf-8") as stream:
        for number, value in enumerate(values):
            kpi = {"val/d1": value, **{f"m{metric}": 0.5 for metric in range(metrics - 1)}}
            stream.write(json.dumps({"epoch": number * epochs // lines, "step": number, "kpi": kpi}) + "\n")
            if source.random() < 0.001:  # noqa: PLR2004 # now and then
                stream.write(source.choice(["{", "[" * 5000 + "\n", '{"epoch": 1e999, "kpi": 7}\n', "\x00\n"]))
    now, reported = [1000.0], list[tuple[float, Measurement]]()
    history = empty_history(max_epochs=epochs)
    with (
        mock.patch("time.monotonic", side_effect=lambda: now[0]),
        mock.patch("time.sleep", side_effect=lambda seconds: now.__setitem__(0, now[0] + seconds + 1e-9)),
    ):
        reporter = Reporter(lambda measurement: reported.append((now[0], measurement)), folder)
        _follow(StatusReader(folder), history, reporter, lambda: now.__setitem__(0, now[0] + 1e-4))
    return _wrong_rate([at_s for at_s, found in reported if not found.notice]) or _wrong_end(history, reported, values)


def _follow(reader: StatusReader, history: TrialHistory, reporter: Reporter, tick: Callable[[], object]) -> None:
    for measurement in reader.finish():
        tick()
        history.observe(measurement)
        reporter.add(measurement)
    reporter.finish()


def _wrong_rate(times_s: list[float]) -> str:
    most = max((bisect_left(times_s, at_s + 0.999) - i for i, at_s in enumerate(times_s)), default=0)
    return f"{most} reports in a second" if most > REPORTS_PER_S else ""


def _wrong_end(history: TrialHistory, reported: list[tuple[float, Measurement]], values: list[float]) -> str:
    seen = [found.values["val/d1"] for _, found in reported if "val/d1" in found.values]
    if not seen or seen[-1] != values[-1]:
        return f"the last value is {seen[-1:]}, not {values[-1]}"
    if len(history.curve) > MOST_EPOCHS or history.best_epoch is None:
        return f"a curve of {len(history.curve)} epochs"
    best = max(dict(history.curve).values())
    return "" if dict(history.curve)[history.best_epoch] == best else "the best is another one"


_PARTS = ("", " ", "\ud800", "\udfff", "/", "..", ".", ":", "@", "é", "\n", "\x00", "\x1b[31m", "\u202e", "val", "loss")


def named(study: Path, source: random.Random, folder: Path) -> str:
    """Report metrics with names that are none: the others arrive, every name is one for MLflow, and none meet."""
    names = {"".join(source.choices(_PARTS, k=source.randint(0, 5))) for _ in range(8)}
    long = source.choice(["m", "/", "é", "\ud800"]) * source.choice([250, 251, 300, 5000])
    kpi = {**dict.fromkeys([*names, f"{long}1", f"{long}2"], 0.25), "val/d1": 0.5}
    (folder / "status.json").write_text(json.dumps({"epoch": 0, "kpi": kpi}) + "\n", encoding="utf-8")
    (found,) = StatusReader(folder).finish()
    if found.values.get("val/d1") != 0.5:  # noqa: PLR2004 # as above
        return f"val/d1 did not arrive beside {names!r}"
    if missing := sum(bool(name.strip()) for name in kpi) - len(found.values):
        return f"{missing} of {[*map(ascii, kpi)]} are missing"
    root = Path(shutil.copytree(study, folder / "study"))
    event = Measured(trial=0, epoch=0, step=None, max_epochs=None, values=found.values)
    EventLog(root / "named.jsonl").append(event)
    (entry,) = read_log(root / "named.jsonl", is_strict=True)
    return _wrong_names(root, entry)


def _wrong_names(root: Path, entry: Entry) -> str:
    event = entry.event
    assert isinstance(event, Measured)  # noqa: S101 # it was written as one
    paths, projection = StudyPaths(root), Projection(read_plan(StudyPaths(root)), StudyPaths(root))
    with contextlib.closing(TensorboardTracker()) as tensorboard:
        tensorboard.open(paths)
        for before in read_log(paths.events_file):
            projection.uploads(before)
            if before.event.kind in {"study_started", "trial_started"}:
                tensorboard.record(before)
        tensorboard.record(entry)
    stored: list[str] = []
    for upload in projection._measured(event, 0):  # noqa: SLF001 # without what it knows already
        stored += upload.data["values"] if upload.kind is UploadKind.METRICS else ()
    for name in stored:
        try:
            _validate_metric_name(name)  # type: ignore[no-untyped-call] # of MLflow
        except MlflowException as error:
            return f"MLflow refuses {name!a}: {error}"
    return "" if len(set(stored)) == len(event.values) else f"{len(event.values)} names became {len(set(stored))}"


def moved(_: Path, source: random.Random, folder: Path) -> str:
    """Move the results at a random step of a study: it ends with an error, and nothing is made at the old path."""
    results = folder / "results"
    went_on = _changed_at_a_step(source, folder, lambda: results.rename(folder / "moved"))
    made = results.exists() and (folder / "moved").exists()
    return went_on or (f"made again: {sorted(map(str, results.rglob('*')))}" if made else "")


def replaced(study: Path, source: random.Random, folder: Path) -> str:
    """Put a link to another study in place of one that runs, or of its trials: it ends, and the other stays whole."""
    own, other = toy_location(folder / "results").directory, folder / "other"
    shutil.copytree(study, other, symlinks=True)
    place, before = source.choice(["", "trials"]), _contents(other)

    def put_link() -> None:
        (own / place).rename(folder / "aside")
        (own / place).symlink_to(other / place)

    went_on = _changed_at_a_step(source, folder, put_link)
    changed = {name for name, _ in {*_contents(other).items()} ^ {*before.items()}}
    return went_on or (f"changed in the other study: {sorted(changed)}" if changed else "")


def _contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def _changed_at_a_step(source: random.Random, folder: Path, change: Callable[[], object]) -> str:
    """Make a change at a random step of a study in a folder; return what is wrong if the study goes on."""
    location = toy_location(folder / "results")
    location.directory.mkdir(parents=True)
    tracker = TensorboardTracker()
    searcher = ListSearcher([{"quality": 0.1 * number} for number in range(6)])
    plan = toy_plan(folder / "skill", trials=6)
    loop = StudyLoop(plan, location, searcher=searcher, scheduler=Scheduler(), trackers=[tracker])
    steps, stopped_at = 0, source.randint(0, 20)

    def step() -> None:
        nonlocal steps
        if steps == stopped_at:
            change()
        steps += 1

    with held_study(location.directory):
        loop.open()
        try:
            _go_through(loop, step)
        except (AutomlError, OSError):
            return ""
        finally:
            tracker.close()
    return f"it went on after step {stopped_at} of {steps}" if steps > stopped_at else ""


def _go_through(loop: StudyLoop, step: Callable[[], None]) -> None:
    """Run every trial of a study, and call ``step`` before each thing that is written."""
    while not loop.is_over:
        step()
        task = loop.next_task()
        if task is None:
            return
        for epoch in range(2):
            step()
            loop.measured(task.number, Measurement(epoch=epoch, values={"val/d1": 0.5}))
        step()
        number, assignment = task.number, dict(task.proposal.assignment)
        directory = f"trials/{number:04d}"
        loop.ended(TrialResult(number=number, state=TrialState.COMPLETED, assignment=assignment, directory=directory))


@contextlib.contextmanager
def impatience(limit_s: float = _PATIENCE_S) -> Iterator[None]:
    """End what takes longer, such as waiting for the writer of a pipe, by `TooLong`."""

    def end(*_: Any) -> None:  # noqa: ANN401 # of a signal
        raise TooLong(f"it took longer than {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


KINDS = {
    "a trainer leaves what is no file": planted,
    "a file is swapped while it is read": swapped,
    "a trainer floods its status file": flooded,
    "a trainer reports names that are none": named,
    "the results are moved during a run": moved,
    "another study is put in the place of one that runs": replaced,
}
