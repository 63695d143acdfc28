"""Whether training on two devices does what training on one does, by the real command line.

On a host with two GPUs, from the repository root (about two minutes):

    python -m benchmarks.depth_net.two_gpus --out "$OUT"

To see that all its parts run, without a GPU (five minutes of two cores): `... --smoke`. Two processes then stand for
two machines, with the smallest encoder, and share the work by DDP also where FSDP, which needs GPUs, is asked for. One
line per check; `two_gpus.json` holds them too; status 1 if one fails. Data are the rendered rooms of `demo-data`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml

from benchmarks.depth_net.meeting import HOST, find_free_port

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSES = 2
IMAGES, VALIDATED = 100, 24  # of the rendered rooms
EPOCHS = 2
STEPS = EPOCHS * IMAGES // PROCESSES  # of one image per process
CLOSE = 5e-3  # relative; sums come in another order, and one device computes convolutions in TF32
CLOSE_IN_BF16 = 0.05
FSDP = "train.distributed_strategy=fsdp"
COMMAND_LIMIT_S = 140


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding.

    Attributes:
        part: Scenario.
        text: What was checked, with the numbers found.
        passed: Whether it holds.
    """

    part: str
    text: str
    passed: bool


@dataclass(kw_only=True)
class Session:
    """Options, the commands run so far and what they showed."""

    options: argparse.Namespace
    checks: list[Check] = field(default_factory=list)

    def note(self, part: str, text: str, passed: object) -> None:
        """Keep and print one check."""
        self.checks.append(Check(part=part, text=text, passed=bool(passed)))
        print(f"{'ok  ' if passed else 'FAIL'}  {part:<12} {text}", flush=True)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a training run left.

    Attributes:
        folder: Its results, ``.../train``.
        statuses: Exit status of each process started here.
        seconds: Wall time.
    """

    folder: Path
    statuses: list[int]
    seconds: float

    def lines(self) -> list[dict[str, Any]]:
        """Status lines."""
        text = (self.folder / "status.json").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def kpi(self, name: str) -> float:
        """Last value of a name."""
        return next(float(line["kpi"][name]) for line in reversed(self.lines()) if name in line.get("kpi", {}))

    def checkpoint(self) -> dict[str, Any]:
        """Newest checkpoint."""
        loaded: dict[str, Any] = torch.load(self.folder / "dn_model_latest.pth", weights_only=True, map_location="cpu")
        return loaded


def main() -> int:
    """Run all parts and write the findings."""
    session = Session(options=_read_options())
    options = session.options
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    data = [_program(), "demo-data", str(options.out / "data")]
    subprocess.run(data, check=True, capture_output=True)
    (options.out / "spec.yaml").write_text(yaml.safe_dump(_spec(options)), encoding="utf-8")
    known: list[Callable[[Session], None]] = [ddp, fsdp_going_on, fsdp, fsdp_bf16, recompute, accumulate]
    parts = [part for part in known if part.__name__ in (options.parts or [each.__name__ for each in known])]
    with ThreadPoolExecutor(options.jobs) as pool:
        for part, future in [(part, pool.submit(part, session)) for part in parts]:
            try:
                future.result()
            except (OSError, ValueError, KeyError, StopIteration, RuntimeError, subprocess.TimeoutExpired) as error:
                session.note(part.__name__, f"{type(error).__name__}: {error}", passed=False)
    failed = sum(not check.passed for check in session.checks)
    seconds = time.monotonic() - began
    print(f"{len(session.checks)} checks, {failed} failed, {seconds:.0f} s, {options.encoder} at {options.size} px")
    content = {"seconds": seconds, "encoder": options.encoder, "checks": [asdict(check) for check in session.checks]}
    (options.out / "two_gpus.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def ddp(session: Session) -> None:
    """DDP to its end; then the same run stopped by SIGTERM to one process, resumed, stopped whole, and resumed."""
    whole = train(session, "ddp")
    step = whole.checkpoint()["global_step"]
    session.note("ddp", f"exit {whole.statuses}, {step} of {STEPS} steps, {whole.seconds:.0f} s", step == STEPS)
    images = whole.kpi("val/num_images")
    session.note("ddp", f"{images:.0f} of {VALIDATED} validation images counted over both", images == VALIDATED)
    _compare_with_one_device(session, "ddp", whole, CLOSE)
    for name, everyone in (("sigterm one", False), ("sigterm all", True)):
        stopped = train(session, "stopped", stop_at=10, stop_everyone=everyone)
        last, saved = stopped.lines()[-1], stopped.checkpoint()["global_step"]
        is_reported = (last["status"], last.get("code")) == ("STOPPED", "interrupted")
        session.note(name, f"exit {stopped.statuses}, last line {last['status']}", is_reported and _are(stopped, 143))
        rest = [path.name for path in stopped.folder.glob(".*")]
        inside = saved % (STEPS // EPOCHS) != 0
        session.note(name, f"checkpoint of step {saved}, inside an epoch, nothing half-written", inside and not rest)
    resumed = train(session, "stopped")
    difference = _difference(whole.checkpoint(), resumed.checkpoint())
    session.note("resumed", f"exit {resumed.statuses}, weights differ by {difference:.1e}", difference < CLOSE)
    _compare_kpi(session, "resumed", whole, resumed)


def fsdp(session: Session) -> None:
    """FSDP in 32 bits: published names, and the same scores on one device."""
    sharded = train(session, "fsdp", FSDP)
    checkpoint = sharded.checkpoint()
    step = checkpoint["global_step"]
    session.note("fsdp", f"exit {sharded.statuses}, {step} of {STEPS} steps, {sharded.seconds:.0f} s", step == STEPS)
    roots = sorted({".".join(name.split(".")[:2]) for name in checkpoint["state_dict"]})
    session.note("fsdp", f"names {roots}", roots == ["model.metric_depth_head", "model.pretrained"])
    _compare_with_one_device(session, "fsdp", sharded, CLOSE)


def fsdp_going_on(session: Session) -> None:
    """A checkpoint of FSDP is continued by FSDP and by DDP, to the same end."""
    half = train(session, "fsdp_half", FSDP, "train.checkpoint_interval_unit=step", "train.checkpoint_interval=60")
    source = f"train.resume_training_checkpoint_path={half.folder / 'model_epoch_001_step_00060.pth'}"
    for name, words in (("fsdp again", [FSDP]), ("then ddp", [])):
        resumed = train(session, name.replace(" ", "_"), source, *words)
        difference = _difference(half.checkpoint(), resumed.checkpoint())
        step = resumed.checkpoint()["global_step"]
        text = f"exit {resumed.statuses}, step {step}, weights differ by {difference:.1e}"
        session.note(name, text, step == STEPS and difference < CLOSE)
        _compare_kpi(session, name, half, resumed)


def fsdp_bf16(session: Session) -> None:
    """FSDP in bf16."""
    half = train(session, "fsdp_bf16", FSDP, "train.precision=bf16")
    _compare_with_one_device(session, "fsdp bf16", half, CLOSE_IN_BF16)


def recompute(session: Session) -> None:
    """DDP that recomputes activations has the losses of DDP."""
    plain, saving = (
        train(session, f"recompute_{word}", f"train.activation_checkpoint={word}", "train.num_epochs=1")
        for word in ("false", "true")
    )
    _compare_kpi(session, "recompute", plain, saving)


def accumulate(session: Session) -> None:
    """Two batches per optimiser step are half as many steps."""
    ended = train(session, "accumulate", "train.accumulate_grad_batches=2")
    step, loss = ended.checkpoint()["global_step"], ended.kpi("train_loss")
    text = f"exit {ended.statuses}, {step} steps, train_loss {loss:.4f}"
    session.note("accumulate", text, step == STEPS // 2 and _are(ended, 0))


def train(session: Session, name: str, *words: str, stop_at: int | None = None, stop_everyone: bool = False) -> Ended:
    """Run ``depth_net train`` on two devices.

    Args:
        session: Options.
        name: Folder of the results.
        words: Overrides.
        stop_at: Batch at which to send SIGTERM, to the first process or to everyone.
        stop_everyone: Send it to all processes.
    """
    began = time.monotonic()
    folder = session.options.out / name
    command = [_program(), "train", "-e", str(session.options.out / "spec.yaml"), f"results_dir={folder}", *words]
    log = session.options.out / f"{name}.log"
    processes = []
    with log.open("w", encoding="utf-8") as stream:
        for extra in _environments(session.options.device):
            process = subprocess.Popen(
                command, env=os.environ | extra, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )
            processes.append(process)
        try:
            if stop_at is not None:
                _wait_for(log, f"batch {stop_at:5d}/", processes[0])
                for process in processes if stop_everyone else processes[:1]:
                    (os.killpg if stop_everyone else os.kill)(process.pid, 15)
            statuses = [process.wait(COMMAND_LIMIT_S) for process in processes]
        finally:
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, 9)
    if stop_at is None and any(statuses):
        tail = log.read_text(encoding="utf-8").strip().splitlines()[-3:]
        raise RuntimeError(f"{name} ended with {statuses}: {' | '.join(tail)}")
    return Ended(folder=folder / "train", statuses=statuses, seconds=time.monotonic() - began)


def _environments(device: str) -> list[dict[str, str]]:
    """Environments of the commands to start: one for all GPUs of a host, one per machine on processors."""
    meeting = {"MASTER_ADDR": HOST, "MASTER_PORT": str(find_free_port()), "OMP_NUM_THREADS": "1"}
    if device == "cuda":
        return [meeting]
    return [meeting | {"WORLD_SIZE": str(PROCESSES), "NODE_RANK": str(rank)} for rank in range(PROCESSES)]


def _wait_for(log: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + COMMAND_LIMIT_S
    while text not in log.read_text(encoding="utf-8"):
        if process.poll() is not None or time.monotonic() > limit:
            raise RuntimeError(f"{log.name}: {text!r} never came")
        time.sleep(0.05)


def _compare_with_one_device(session: Session, part: str, run: Ended, allowed: float) -> None:
    """Score the newest checkpoint on one device; it has to get what the run has reported of its last validation."""
    out = session.options.out / f"{run.folder.parent.name}_evaluate"
    words = [f"evaluate.checkpoint={run.folder / 'dn_model_latest.pth'}", f"evaluate.results_dir={out}"]
    command = [_program(), "evaluate", "-e", str(session.options.out / "spec.yaml"), *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False)
    if ended.returncode:
        raise RuntimeError(f"evaluate: {ended.stdout[-300:]}")
    scored = json.loads((out / "results.json").read_text(encoding="utf-8"))
    names = ("val/d1", "val/abs_rel", "val/rmse")
    worst = max(abs(scored[name] / run.kpi(name) - 1) for name in names)
    text = f"val/d1 {run.kpi('val/d1'):.4f} on two, {scored['val/d1']:.4f} on one; metrics differ by {worst:.1e}"
    session.note(part, text, worst < allowed)


def _compare_kpi(session: Session, part: str, first: Ended, second: Ended) -> None:
    names = ("train_loss", "val/loss", "val/d1")
    worst = max(abs(second.kpi(name) / first.kpi(name) - 1) for name in names)
    text = f"train_loss {first.kpi('train_loss'):.5f} and {second.kpi('train_loss'):.5f}; values differ by {worst:.1e}"
    session.note(part, text, worst < CLOSE)


def _difference(first: dict[str, Any], second: dict[str, Any]) -> float:
    pairs = [(value, second["state_dict"][name]) for name, value in first["state_dict"].items()]
    return max(float((one - other).abs().max()) for one, other in pairs)


def _are(run: Ended, status: int) -> bool:
    return all(found == status for found in run.statuses)


def _program() -> str:
    return str(Path(sys.executable).with_name("depth_net"))


def _spec(options: argparse.Namespace) -> dict[str, Any]:
    def split(file: str, batch: int) -> dict[str, Any]:
        source = {"dataset_name": "NYUDV2", "data_file": f"{options.out}/data/rooms/{file}.txt"}
        crop = {"crop_size": [options.size, options.size]}
        return {"data_sources": [source], "batch_size": batch, "workers": 0, "augmentation": crop}

    return {
        "results_dir": str(options.out),
        "dataset": {
            "min_depth": 0.1,
            "max_depth": 8.0,
            "train_dataset": split("train", 1),
            "val_dataset": split("val", 2),
            "test_dataset": split("val", 2),
        },
        "model": {"model_type": "MetricDepthAnything", "encoder": options.encoder},
        "train": {
            "num_gpus": PROCESSES,
            "num_epochs": EPOCHS,
            "seed": 1,
            "precision": "fp32",
            "allow_tf32": False,
            "panels": False,
            "log_every_n_steps": 1,
            "keep_checkpoints": 0,
            "optim": {"lr": 1e-5, "lr_scheduler": "LambdaLR", "warmup_fraction": 0.1},
        },
    }


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for data, logs and two_gpus.json")
    parser.add_argument("--smoke", action="store_true", help="two processors, the smallest encoder, small crops")
    parser.add_argument("--encoder", default="vits")
    parser.add_argument("--size", type=int, default=266, help="crop in pixels")
    parser.add_argument("--parts", nargs="+", help="names of parts, such as ddp or fsdp_going_on [all]")
    parser.add_argument("--jobs", type=int, help="parts at a time; all on GPUs")
    options = parser.parse_args()
    options.device = "cpu" if options.smoke else "cuda"
    if options.smoke:
        options.encoder, options.size = "vit_tiny", 70
    elif torch.cuda.device_count() < PROCESSES:
        parser.error(f"{torch.cuda.device_count()} GPUs are here, {PROCESSES} are needed; --smoke runs without any")
    options.out = options.out.resolve()
    options.jobs = options.jobs or (6 if options.device == "cuda" else 1)
    return options


if __name__ == "__main__":
    sys.exit(main())
