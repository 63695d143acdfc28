"""Attacks of what people write and of what a study leaves: study files, specs, lists of data, a study's own files.

One of them is mutated and one command reads it. It is survived where the command says what is wrong, or finds nothing
wrong, within 5 s of processor time: an exit status that the command has for that, an error with its text, and no
traceback.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml

from automl.errors import NothingToRunError
from automl.resources import packaged
from automl.storage.deletion import delete
from benchmarks.orchestration.attack_package import called
from benchmarks.orchestration.attack_trainer import TooLong
from benchmarks.orchestration.damage import KINDS as DAMAGES
from benchmarks.orchestration.damage import damage, files_by_kind
from tests.automl import hostile_texts
from tests.automl.skill import fuzz_packages
from tests.automl.skill.packages import write_skill

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

_LONGEST_CPU_S = 5.0
_BROKEN_TEXT = 0.25
_TRAIN = (
    "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\np.parse_args()\n"
)
_STUDIES: tuple[dict[str, Any], ...] = (
    {
        "skill": "toy",
        "policy": "on",
        "objectives": ["val/r2", {"metric": "val/loss", "direction": "minimize"}],
        "constraints": ["memory_gib <= 40"],
        "search": ["train.optim.lr=1e-4..1e-1:log", "model.hidden_units"],
        "set": {"train.num_epochs": 3, "train": {"optim": {"momentum": 0.9}}},
        "budget": {"trials": 3, "time": "2h", "gpu_hours": 1.5, "patience_trials": 3, "target": 0.9},
        "resources": {"jobs": 2, "gpus_per_trial": 0, "cpus_per_trial": 1, "nodes_per_trial": 1, "launcher": "local"},
        "options": {"grace_epochs": 1},
        "sampler": "gp",
        "scheduler": "asha",
        "replicates": 2,
        "seed": 1,
        "studies": ["elsewhere"],
        "data": {"train": "data/train.txt"},
    },
    {
        "program": "python train.py --lr {lr}",
        "objective": {"metric": "loss", "direction": "minimize"},
        "search": {"lr": {"range": "0.01..1.0", "scale": "log"}, "opt": ["adam", "sgd"]},
        "report": {"checkpoint": ["best.pt"], "first_epoch": 0, "resume": "--resume {checkpoint}", "metrics": "m.csv"},
        "evaluate_with": "true",
    },
)
_ROWS = (
    *("a.png b.png", "/etc/passwd /etc/shadow", "../../x.png ../y.png", "a.png", "a.png b.png c.png 1 2 3", "a,b", ""),
    *("\x00 \x00", "\ufeffa.png b.png", '{"rgb": "a.png", "depth": 3}', "[" * 5000, "a\tb", "x" * 70_000, "# text"),
    *("'a b.png' 'c d.png'", "\ud800 a", "\x1b[31m a.png", "https://u:p@h/x.png y", "C:\\a.png D:\\b.png", "\r\r\r"),
    *(
        "image,depth",
        "a.png  b.png",
        "pipe b.png",
        "loop b.png",
        "deep b.png",
        "nan inf",
        "-1 1e400",
        "~/a.png ~root/b",
    ),
)
_LIST_NAMES = (
    "train.txt",
    "train.csv",
    "train.json",
    "train.jsonl",
    "train.yaml",
    "train",
    "train.txt.gz",
    "train.npz",
)


def study_file(_: Path, source: random.Random, folder: Path) -> str:
    """Mutate a study file."""
    (folder / "train.py").write_text(_TRAIN, encoding="utf-8")
    file = folder / "study.yaml"
    file.write_bytes(_mutated(source, source.choice([*_STUDIES, *_documents(packaged("studies"))])))
    return tried([source.choice(["check", "check", "space", "plan"]), str(file)], source, folder, {0, 2, 3})


def spec_file(_: Path, source: random.Random, folder: Path) -> str:
    """Mutate a spec."""
    skill = source.choice(["toy", "depth_net_mono"])
    specs = _documents(packaged("templates") / skill, "spec_template_train.yaml")
    file = folder / "spec.yaml"
    file.write_bytes(_mutated(source, source.choice(specs)))
    command = source.choice(["check", "check", "space", "plan"])
    return tried([command, "--skill", skill, "--spec", str(file)], source, folder, {0, 2, 3})


def data_list(_: Path, source: random.Random, folder: Path) -> str:
    """Mutate a list of data, or what it names."""
    data = folder / "data"
    data.mkdir()
    for name in ("a.png", "b.png"):
        (data / name).write_bytes(source.choice([b"", b"\x89PNG\r\n\x1a\n", source.randbytes(300)]))
    os.mkfifo(data / "pipe")
    (data / "loop").symlink_to("loop")
    (data / "deep").mkdir()
    file = data / source.choice(_LIST_NAMES)
    rows = source.choices(_ROWS, k=source.randint(0, 30))
    text = source.choice(["\n", "\n", "\r\n", "\n\n", "\x0b"]).join(rows).encode("utf-8", "surrogatepass")
    text = damage(text, source.choice(DAMAGES), source) if text and source.random() < _BROKEN_TEXT else text
    file.write_bytes(text * source.choice([1, 1, 1, 200]))
    train = source.choice([file, file, file, data, data / "pipe", data / "loop", data / "not there", "", "{x}"])
    arguments = ["--skill", "depth_net_mono", "--data", f"train={train}", "--data", f"val={file}"]
    return tried([source.choice(["check", "plan"]), *arguments], source, folder, {0, 2, 3})


def no_file(study: Path, source: random.Random, folder: Path) -> str:
    """Name a pipe, a device, a socket or a loop of links where a command reads a file: it is refused, and not read."""
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    skill = write_skill(folder / "skill", schema={"properties": {}}, template={"train": {"checkpoint": "", "lr": 0.1}})
    place = source.choice(_NAMED)
    file = folder / source.choice([f"x{suffix}" for suffix in ("", ".txt", ".yaml", ".json", ".csv", ".py", ".pth")])
    if place in _OF_SKILLS or place in _OF_STUDIES:
        file = (skill if place in _OF_SKILLS else root) / place
        if file.exists():
            delete(file, inside=folder.resolve())
        file.parent.mkdir(parents=True, exist_ok=True)
    kind = source.choice(list(_IRREGULAR))
    _IRREGULAR[kind](file)
    if place in _OF_STUDIES:
        commands = commands_on(root, folder)
    elif place in _OF_SKILLS:
        commands = [[name, "--skill", str(skill), *_METRIC] for name in ("plan", "check", "space")]
        commands += [["list", str(folder)]]
    else:
        words = [word.replace("FILE", str(file)).replace("SKILL", str(skill)) for word in place.split()]
        commands = [[name, *words] for name in ("plan", "check", "space")] if words[0] not in _OTHERS else [words]
    command = source.choice(commands)
    problem = tried(command, source, folder, {0, 1, 2} if command[0] == "report" else {0, 2, 3})
    return f"{kind} as {place}: {problem}" if problem else ""


def commands_on(root: Path, folder: Path) -> list[list[str]]:
    """Return commands that read a study."""
    return [
        *(["status", str(root)], ["status", "--json", str(root)], ["compare", str(root)], ["logs", str(root), "1"]),
        *(["list", "--studies", str(root.parent)], ["clean", str(root.parent)], ["compare", "--json", str(root)]),
        *(["resume", str(root)], ["export-history", str(root), "--output", str(folder / "history.json")]),
        *(["report", str(root)], ["plan", "toy/quick", "--warm-start", str(root)]),
    ]


def _socket(file: Path) -> None:
    with contextlib.chdir(file.parent), socket.socket(socket.AF_UNIX) as server:  # its path may have 107 bytes
        server.bind(file.name)


_IRREGULAR: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a loop of links": lambda file: file.symlink_to(file.name),
    "a device without end": lambda file: file.symlink_to("/dev/zero"),
    "a device": lambda file: file.symlink_to("/dev/null"),
    "a folder": Path.mkdir,
}
_METRIC = ("--metric", "x", "--direction", "minimize")
_OF_SKILLS = (
    *("references/skill_info.yaml", "references/spec_template_train.yaml", "schemas/train.schema.json", "SKILL.md"),
    *("references/architecture.yaml", "schemas", "references"),
)
_OF_STUDIES = (
    *("plan.json", "events.jsonl", "best.json", "evaluations.json", "record.json", "journal.log", "report.html"),
    *("journal.log.owner", "tracking", "tracking/mlflow/study_id", "tracking/mlflow/writer.lock", "stop", "trials"),
    *("trials/0000/result.json", "trials/0000/spec.yaml", "trials/0000/train.log", "trials/0000", "best"),
)
_NAMED = (
    *("FILE", "--skill FILE", "--skill SKILL --spec FILE", "--skill depth_net_mono --data train=FILE"),
    *("--skill depth_net_mono --spec FILE", "--skill toy --studies FILE", "--skill toy --warm-start FILE"),
    *("--skill SKILL --set train.checkpoint=FILE", "--skill toy --results FILE", "--skill toy --tracking-uri FILE"),
    *("--skill depth_net_mono --set train.pretrained_model_path=FILE", "--skill toy --image FILE --launcher apptainer"),
    *("init FILE", "list FILE", "list --studies FILE", "clean FILE", "status FILE", "export-history FILE -o h.json"),
    *("compare FILE", "resume FILE", "report FILE", "logs FILE", "cluster slurm FILE --output -", "schema FILE"),
    *_OF_SKILLS,
    *_OF_STUDIES,
)
_OTHERS = frozenset(place.split()[0] for place in _NAMED if place[0] not in "F-" and " " in place)


def study_folder(study: Path, source: random.Random, folder: Path) -> str:
    """Mutate files of a study: bytes, whole files, files in place of folders and the other way round."""
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    for _ in range(source.randint(1, 3)):
        files = files_by_kind(root)
        file = source.choice(files[source.choice(sorted(files))])
        match source.randrange(8):
            case 0:
                file.write_bytes(source.choice([b"", b"{}", b"[]", b"null\n", b"\x00" * 100, b"\xff\xfe", b"{" * 9000]))
            case 1:
                delete(file, inside=root.resolve())
                file.mkdir()
            case 2:
                delete(file.parent if file.parent != root else file, inside=root.resolve())
            case 3:
                other = source.choice([one for found in files.values() for one in found])
                file.write_bytes(other.read_bytes())
            case _:
                file.write_bytes(damage(file.read_bytes(), source.choice(DAMAGES), source))
    return tried(source.choice(commands_on(root, folder)), source, folder, {0, 2, 3})


def _mutated(source: random.Random, document: dict[str, Any]) -> bytes:
    document = copy.deepcopy(document)
    for _ in range(source.randint(1, 4)):
        document = fuzz_packages._mutate(source, document)  # noqa: SLF001 # of our own harness
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
    if source.random() < _BROKEN_TEXT:
        return damage(text, source.choice(DAMAGES), source)
    if source.random() < 0.02:  # noqa: PLR2004 # now and then
        return hostile_texts.YAML[source.choice(list(hostile_texts.YAML))](50_000).encode("utf-8", "surrogatepass")
    return text


@functools.cache
def _documents(folder: Path, name: str = "*.yaml") -> tuple[dict[str, Any], ...]:
    return tuple(yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob(name)))


@functools.cache
def _warm_up() -> None:
    """Import what commands import, which is no part of a case."""
    with tempfile.TemporaryDirectory() as folder:
        called(["plan", "toy/quick"], Path(folder))


def tried(command: list[str], source: random.Random, folder: Path, right: set[int]) -> str:
    """Run a command; return what is wrong with how it ends."""
    as_json = ["--json"] if command[0] in {"check", "space", "plan"} and source.random() < _BROKEN_TEXT else []
    _warm_up()
    shown = f"{command[0]} {' '.join(as_json)}".strip()
    try:
        starts = mock.patch("automl.resume.run_in", side_effect=NothingToRunError("it would start"))
        with contextlib.chdir(folder), starts, _busy():
            status, text = called([*command, *as_json], folder)
    except (Exception, TooLong) as error:  # noqa: BLE001 # a traceback is what is looked for
        return f"{shown}: {type(error).__name__}: {str(error)[:300]}"
    if status not in right:
        return f"{shown}: status {status}: {text[-300:]}"
    return "" if not status or text.strip() else f"{shown}: status {status} without a text"


@contextlib.contextmanager
def _busy(limit_s: float = _LONGEST_CPU_S) -> Iterator[None]:
    """End what takes more processor time, or waits ten times as long, by `TooLong`."""

    def end(*_: Any) -> None:  # noqa: ANN401 # of a signal
        raise TooLong(f"more than {limit_s:g} s of processor time, or a long wait")

    timers = {signal.ITIMER_PROF: (signal.SIGPROF, limit_s), signal.ITIMER_REAL: (signal.SIGALRM, 10 * limit_s)}
    before = {number: signal.signal(number, end) for number, _ in timers.values()}
    for timer, (_, seconds) in timers.items():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, (number, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


KINDS: dict[str, Callable[[Path, random.Random, Path], str]] = {
    "a study's files are mutated": study_folder,
    "a study file is mutated": study_file,
    "a spec is mutated": spec_file,
    "a list of data is mutated": data_list,
    "what is named is no file": no_file,
}
