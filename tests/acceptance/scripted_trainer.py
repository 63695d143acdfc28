"""A trainer that does what a script says, faults included: for acceptance and chaos tests. A program of its own.

``python scripted_trainer.py -e SPEC``. The spec is YAML with ``results_dir``, ``train.num_epochs``, ``train.optim.lr``
and ``train.optim.momentum``; ``script`` is JSON text:

- ``epoch_s``: seconds an epoch takes (0.02).
- ``metric``: name of the objective (``val/d1``); ``values``: its value for each epoch. Without values it follows from
  the learning rate: best at 0.01, better with every epoch.
- ``dialect``: ``ours`` (epoch on every line), ``public`` (validation line without epoch, repeated metrics, bare NaN),
  ``text`` (numbers as text), ``log`` (no status file), ``metric_file`` (``metrics.json`` at the end).
- ``faults``: a list of objects with ``kind``, ``epoch`` (0) and, optionally, ``above_lr``: the fault happens only with
  a larger learning rate. Each kind is a function ``fault_<kind>`` below.

It writes ``pids.txt`` (every process it started) and, for each fault, ``fault_<kind>.txt`` with the monotonic time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_SLEEPER = "import time; time.sleep(600)"


@dataclass
class Trainer:
    """One scripted run."""

    spec: dict[str, Any]
    script: dict[str, Any]
    folder: Path
    kpi: dict[str, Any] = field(default_factory=dict)
    hides_metric: bool = False
    saves: str = "whole"
    writes_in_parts: bool = False
    skews_clock: bool = False

    @property
    def metric(self) -> str:
        return str(self.script.get("metric", "val/d1"))

    @property
    def dialect(self) -> str:
        return str(self.script.get("dialect", "ours"))

    @property
    def num_epochs(self) -> int:
        return int(self.spec["train"]["num_epochs"])

    def value(self, epoch: int) -> float:
        values = self.script.get("values")
        if values is not None:
            return float(values[min(epoch, len(values) - 1)])
        distance = math.log10(float(self.spec["train"]["optim"]["lr"])) + 2.0
        bonus = 0.05 * float(self.spec["train"]["optim"].get("momentum", 0.0))
        return (0.9 * math.exp(-0.5 * distance * distance) + bonus) * (1.0 - 0.5 ** (epoch + 1))

    def run(self) -> int:
        self.line("Starting Training Loop.", status="STARTED")
        for epoch in range(self.first_epoch(), self.num_epochs):
            time.sleep(float(self.script.get("epoch_s", 0.02)))
            for fault in self.faults(epoch):
                self.mark(fault["kind"])
                FAULTS[fault["kind"]](self, fault, epoch)
            self.report(epoch)
            self.save(epoch)
        if self.dialect == "metric_file":
            text = json.dumps({self.metric: self.value(self.num_epochs - 1)})
            (self.folder / "metrics.json").write_text(text, encoding="utf-8")
        self.line("Train finished successfully.")
        return 0

    def faults(self, epoch: int) -> list[dict[str, Any]]:
        rate = float(self.spec["train"]["optim"]["lr"])
        return [
            fault
            for fault in self.script.get("faults", [])
            if int(fault.get("epoch", 0)) == epoch and rate > float(fault.get("above_lr", -1.0))
        ]

    def report(self, epoch: int, loss: float | str | None = None) -> None:
        loss = 0.5 / (epoch + 1) if loss is None else loss
        validation: dict[str, Any] = {"val/loss": 0.4, self.metric: self.value(epoch)}
        if self.hides_metric:
            del validation[self.metric]
        if self.dialect == "log":
            numbers = ", ".join(f"{name.replace('/', '_')}: {value}" for name, value in validation.items())
            say(f"Epoch {epoch + 1}/{self.num_epochs}: train_loss={loss}, {numbers}")
            return
        if self.dialect == "metric_file":
            return
        step = 10 * (epoch + 1)
        position: dict[str, Any] = {} if self.dialect == "public" else {"epoch": epoch, "step": step}
        if self.dialect == "text":
            validation = {name: str(value) for name, value in validation.items()}
        progress: dict[str, Any] = {"epoch": epoch, "step": step, "max_epoch": self.num_epochs - 1}
        self.line("Eval metrics generated.", kpi=validation, **position)
        self.line("Training loop in progress", **progress)
        self.line("Train metrics generated.", kpi={"train_loss": loss}, **position)

    def line(self, message: str, *, status: str = "RUNNING", kpi: dict[str, Any] | None = None, **data: Any) -> None:  # noqa: ANN401 # any JSON
        if self.dialect in {"log", "metric_file"}:
            return
        self.kpi = self.kpi if kpi is None else kpi
        clock = {"date": "1/1/1970", "time": "0:0:0"} if self.skews_clock else {"date": "11/23/2026", "time": "1:2:3"}
        document = {**data, **clock, "status": status, "verbosity": "INFO", "message": message, "kpi": self.kpi}
        text = json.dumps(document) + "\n"
        pieces = [text[i : i + 20] for i in range(0, len(text), 20)] if self.writes_in_parts else [text]
        file = self.folder / "status.json"
        for piece in pieces:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(piece)
            time.sleep(0.002 if self.writes_in_parts else 0.0)
        if self.skews_clock:
            os.utime(file, (0, 0))

    def save(self, epoch: int) -> None:
        if self.saves == "nothing":
            return
        file = self.folder / f"model_epoch_{epoch:03d}_step_{10 * (epoch + 1):05d}.pth"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("state.json", json.dumps({"epoch": epoch, "lr": self.spec["train"]["optim"]["lr"]}))
        if self.saves == "half":
            os.truncate(file, file.stat().st_size // 2)
        link = self.folder / "scripted_model_latest.pth"
        link.unlink(missing_ok=True)
        link.symlink_to(file.name)

    def first_epoch(self) -> int:
        named = self.spec["train"].get("resume_training_checkpoint_path") or ""
        latest = sorted(self.folder.glob("*_latest.pth"))
        if not named and not latest:
            return 0
        file = Path(named) if named else latest[0]
        self.line(f"Resuming training from checkpoint: {file.resolve()}")
        with zipfile.ZipFile(file) as archive:
            return int(json.loads(archive.read("state.json"))["epoch"]) + 1

    def mark(self, kind: str) -> None:
        (self.folder / f"fault_{kind}.txt").write_text(repr(time.monotonic()), encoding="utf-8")

    def note(self, pid: int) -> None:
        with (self.folder / "pids.txt").open("a", encoding="utf-8") as stream:
            stream.write(f"{pid}\n")


def fault_nan(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Report a value that is not finite (``metric``, ``word``), then go on for ``for_s`` seconds, exit with 0."""
    metric, word = fault.get("metric", "train_loss"), fault.get("word", "NaN")
    if trainer.dialect == "log" or fault.get("in_log"):
        say(f"Epoch {epoch + 1}/{trainer.num_epochs}: {metric}={word.lower()}")
    else:
        position: dict[str, Any] = {} if trainer.dialect == "public" else {"epoch": epoch}
        value: Any = word if trainer.dialect == "text" else float(word)
        trainer.line("Train metrics generated.", kpi={metric: value}, **position)
    trainer.mark("nan")
    time.sleep(float(fault.get("for_s", 600.0)))
    sys.exit(int(fault.get("status", 0)))


def fault_explode(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Report a huge training loss."""
    trainer.report(epoch, loss=float(fault.get("loss", 1e9)))
    time.sleep(600.0)


def fault_hang(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Do nothing any more."""
    del trainer, fault, epoch
    time.sleep(600.0)


def fault_exit(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """End with ``status`` (1) after writing ``text`` to stderr."""
    del trainer, epoch
    sys.stderr.write(str(fault.get("text", "")) + "\n")
    sys.stderr.flush()
    sys.exit(int(fault.get("status", 1)))


def fault_signal(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Be killed by signal ``number`` (11)."""
    del trainer, epoch
    os.kill(os.getpid(), int(fault.get("number", 11)))
    time.sleep(600.0)


def fault_failure_line(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Write a failure line and go on."""
    del epoch
    trainer.line(str(fault.get("message", "something failed")), status="FAILURE")


def fault_grandchildren(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Leave behind a child, a child in a session of its own, and a daemon whose parent has ended."""
    del fault, epoch
    trainer.note(subprocess.Popen([sys.executable, "-S", "-c", _SLEEPER]).pid)
    trainer.note(subprocess.Popen([sys.executable, "-S", "-c", _SLEEPER], start_new_session=True).pid)
    daemon = f"import os, sys, time; os.setsid(); p = os.fork(); p and (print(p), os._exit(0)); os.close(1); {_SLEEPER}"
    found = subprocess.run([sys.executable, "-S", "-u", "-c", daemon], stdout=subprocess.PIPE, check=True, text=True)
    trainer.note(int(found.stdout))


def fault_ignore_sigterm(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Ignore SIGTERM and SIGINT from now on."""
    del trainer, fault, epoch
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def fault_huge_log(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Write ``mib`` (20) MiB to the log."""
    del trainer, epoch
    block = ("x" * 99 + "\n") * 10486
    for _ in range(int(fault.get("mib", 20))):
        sys.stdout.write(block)
    sys.stdout.flush()


def fault_partial_lines(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Write every line in pieces from now on."""
    del fault, epoch
    trainer.writes_in_parts = True


def fault_half_line(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Write the first half of a line, then go on as if a new process had taken over."""
    del fault, epoch
    with (trainer.folder / "status.json").open("a", encoding="utf-8") as stream:
        stream.write('{"epoch": 0, "status": "RUNNING", "kpi": {"val/d1": 0.9')


def fault_replace_status(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Put a new, empty status file in the place of the old one."""
    del fault, epoch
    (trainer.folder / "status.json").unlink(missing_ok=True)


def fault_clock_jump(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Write times of 1970 from now on, also as the time of the file."""
    del fault, epoch
    trainer.skews_clock = True


def fault_metric_missing(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Never report the objective from now on."""
    del fault, epoch
    trainer.hides_metric = True


def fault_truncated_checkpoint(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Write only half of every checkpoint from now on."""
    del fault, epoch
    trainer.saves = "half"


def fault_no_checkpoint(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Write no checkpoint from now on."""
    del fault, epoch
    trainer.saves = "nothing"


def fault_pipe(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Make a named pipe called ``name``, by default one that looks like the checkpoint of this epoch."""
    file = trainer.folder / str(fault.get("name", f"model_epoch_{epoch:03d}_step_99999.pth"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def fault_link(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Make a link called ``name`` that leads to ``target``."""
    del epoch
    file = trainer.folder / str(fault["name"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.symlink_to(str(fault["target"]))


def fault_flood(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Report ``lines`` (100,000) steps of this epoch, as fast as it goes."""
    with (trainer.folder / "status.json").open("a", encoding="utf-8") as stream:
        for step in range(int(fault.get("lines", 100_000))):
            stream.write(json.dumps({"epoch": epoch, "step": step, "kpi": {"train_loss": 0.5 + step % 7}}) + "\n")


def fault_many_metrics(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Report ``count`` metrics in each of ``epochs`` further epochs."""
    with (trainer.folder / "status.json").open("a", encoding="utf-8") as stream:
        for later in range(epoch, epoch + int(fault["epochs"])):
            kpi = {f"metric/{number:05d}": number / (later + 1) for number in range(int(fault["count"]))}
            stream.write(json.dumps({"epoch": later, "kpi": {**kpi, trainer.metric: 0.1}}) + "\n")


def fault_many_epochs(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Report the objective of ``epochs`` further epochs."""
    with (trainer.folder / "status.json").open("a", encoding="utf-8") as stream:
        for later in range(epoch, epoch + int(fault["epochs"])):
            stream.write(json.dumps({"epoch": later, "kpi": {trainer.metric: 0.1}}) + "\n")


def fault_bad_names(trainer: Trainer, fault: dict[str, Any], epoch: int) -> None:
    """Report metrics without a name, with half a character, and with two names that differ at their ends alone."""
    del fault
    names = ("", "d1\ud800", "m" * 300 + "1", "m" * 300 + "2")
    trainer.line("Eval metrics generated.", epoch=epoch, kpi={name: 0.25 * i for i, name in enumerate(names)})


FAULTS = {name.removeprefix("fault_"): act for name, act in list(globals().items()) if name.startswith("fault_")}


def say(text: str) -> None:
    """Write one line to the log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the script of a spec."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-e", "--spec", type=Path, required=True)
    spec = yaml.safe_load(parser.parse_args().spec.read_text(encoding="utf-8"))
    folder = Path(spec["results_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(spec, json.loads(spec.get("script") or "{}"), folder)
    trainer.note(os.getpid())
    return trainer.run()


if __name__ == "__main__":
    sys.exit(main())
