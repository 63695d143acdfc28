"""What the node benchmark makes of its studies: tables, judgements, exit statuses. The studies are made up here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automl.launch.command import trial_environment
from benchmarks.node import node
from benchmarks.node.node import FULL, MARK, Bench, Shape, leftovers, main, measure, read_options

IMAGES = 100


@dataclass(slots=True)
class MadeUpBench(Bench):
    """A bench whose studies end at once, with the outcome that is set here.

    Attributes:
        seconds: Time of an epoch, by the name of the study.
        granted: Devices of the trials of (b).
        crowd: States of the trials of (d).
        failing: Studies that cannot be run.
        one_by_one: Whether trials run one after the other.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    granted: list[list[str]] = field(default_factory=list)
    crowd: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    one_by_one: bool = False
    shapes: dict[str, Shape] = field(default_factory=dict)

    def study(self, name: str, shape: Shape, *, extra: list[str], data: str = node.LONG) -> dict[str, Any]:
        del extra, data
        self.shapes[name] = shape
        if name in self.failing:
            raise node.MeasurementError(f"the study {name} ended with status 5")
        states = self.crowd if name == "crowd" else ["COMPLETED"] * shape.trials
        root = self.folder / name / "study"
        for number in range(len(states)):
            folder = root / f"trials/{number:04d}/train"
            folder.mkdir(parents=True)
            line = json.dumps({"time_per_epoch": f"0:00:{self.seconds.get(name, 1.0)}"}) + "\n"
            (folder / "status.json").write_text(line * 3, encoding="utf-8")
        self.write_events(root, shape, len(states))
        devices = self.granted if name == "b" else [[]] * len(states)
        trials = [
            {"directory": f"trials/{number:04d}", "state": state, "gpus": gpus}
            for number, (state, gpus) in enumerate(zip(states, devices, strict=True))
        ]
        self.results[name] = {"study_dir": str(root), "trials": trials}
        return self.results[name]

    def write_events(self, root: Path, shape: Shape, trials: int) -> None:
        jobs = 1 if self.one_by_one else shape.jobs
        lines = []
        for number in range(trials):
            for event, at in (("started", number // jobs), ("ended", number // jobs + 1)):
                time = f"2026-01-01T00:00:{at:02d}+00:00"
                lines.append({"event": f"trial_{event}", "trial": number, "time": time})
        (root / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpBench:
    """Four GPUs on which everything holds."""
    monkeypatch.setattr(node, "_GRACE_S", 0.0)
    monkeypatch.setattr(node, "gpu_processes", list)
    monkeypatch.setenv(MARK, str(tmp_path))
    return MadeUpBench(
        gpus=4,
        scale=FULL,
        folder=tmp_path,
        out=tmp_path / "out",
        images=IMAGES,
        seconds={"alone": 4.0, "a": 4.0, "c": 1.0, "b": 2.0, "alone again": 4.0},
        granted=[["0", "1"], ["2", "3"]],
        crowd=["COMPLETED", "DIVERGED"] * 8,
    )


def held(bench: Bench) -> dict[str, bool | None]:
    return {row["what"]: row["holds"] for row in bench.rows}


def test_four_parts_that_hold_are_evaluated_written_and_shown(bench: MadeUpBench) -> None:
    measure(bench, "abcd")

    assert bench.holds
    assert held(bench) == {
        "one trial on one GPU, before and after": None,
        "(a) 4 trials side by side": True,
        "(a) trials": True,
        "(c) 4 GPUs in one trial": True,
        "(b) 2 two-GPU trials": None,
        "(b) trials": True,
        "(b) devices": True,
        "(d) 16 short trials": True,
        "(d) slots idle": True,
        "(d) left after the end": True,
    }
    document = json.loads((bench.out / "node.json").read_text(encoding="utf-8"))
    assert document["holds"] is True
    assert document["rows"] == bench.rows
    assert document["machine"]["gpus"].startswith("4 x ")
    assert (bench.out / "node.txt").read_text(encoding="utf-8") == bench.table() + "\n"
    shown = re.compile(r"^ok +\(a\) 4 trials side by side +100\.0 images/s, 4\.00x +>= 3\.80x$", re.MULTILINE)
    assert shown.search(bench.table())


def test_the_studies_have_the_shapes_that_the_parts_promise(bench: MadeUpBench) -> None:
    measure(bench, "abcd")

    assert bench.shapes == {
        "alone": Shape(jobs=1, gpus=1, trials=1),
        "alone again": Shape(jobs=1, gpus=1, trials=1),
        "a": Shape(jobs=4, gpus=1, trials=4),
        "c": Shape(jobs=1, gpus=4, trials=1),
        "b": Shape(jobs=2, gpus=2, trials=2),
        "crowd": Shape(jobs=4, gpus=1, trials=16),
    }


@pytest.mark.parametrize(
    ("part", "seconds", "row"),
    [
        ("a", {"alone": 4.0, "alone again": 4.0, "a": 4.3}, "(a) 4 trials side by side"),  # 0.93 N
        ("c", {"alone": 4.0, "alone again": 4.0, "c": 1.2}, "(c) 4 GPUs in one trial"),  # 0.83 N
    ],
)
def test_throughput_below_its_floor_does_not_hold(
    bench: MadeUpBench, part: str, seconds: dict[str, float], row: str
) -> None:
    bench.seconds = seconds

    measure(bench, part)

    assert held(bench)[row] is False
    assert not bench.holds


def test_on_logical_gpus_speed_is_shown_and_not_evaluated(bench: MadeUpBench) -> None:
    bench.checks_speed = False
    bench.seconds = {"alone": 1.0, "a": 50.0, "c": 50.0}

    measure(bench, "abcd")

    assert bench.holds
    assert held(bench)["(a) 4 trials side by side"] is None
    assert held(bench)["(d) slots idle"] is None


def test_a_host_that_becomes_slower_is_compared_with_its_mean_speed_alone(bench: MadeUpBench) -> None:
    bench.seconds = {"alone": 2.0, "a": 8.0 / 3, "alone again": 4.0}

    measure(bench, "a")

    shown = {row["what"]: row["measured"] for row in bench.rows}
    assert shown["one trial on one GPU, before and after"] == "50.0 and 25.0 images/s"
    assert shown["(a) 4 trials side by side"] == "150.0 images/s, 4.00x"


@pytest.mark.parametrize("granted", [[["0", "1"], ["1", "2"]], [["0", "1"], ["2"]], [[], []]])
def test_devices_that_are_shared_missing_or_unknown_do_not_hold(bench: MadeUpBench, granted: list[list[str]]) -> None:
    bench.granted = granted

    measure(bench, "b")

    assert held(bench)["(b) devices"] is False


@pytest.mark.parametrize("part", ["a", "b"])
def test_trials_one_after_the_other_do_not_count_as_side_by_side(bench: MadeUpBench, part: str) -> None:
    bench.one_by_one = True

    measure(bench, part)

    assert held(bench)[f"({part}) trials"] is False


@pytest.mark.parametrize(
    "crowd",
    [["COMPLETED"] * 16, ["COMPLETED"] * 14 + ["DIVERGED", "FAILED"], ["COMPLETED", "DIVERGED"]],
    ids=["none diverges", "one fails", "too few"],
)
def test_a_crowd_without_divergence_with_failures_or_too_small_does_not_hold(
    bench: MadeUpBench, crowd: list[str]
) -> None:
    bench.crowd = crowd

    measure(bench, "d")

    assert held(bench)["(d) 16 short trials"] is False


def test_slots_that_wait_do_not_hold(bench: MadeUpBench) -> None:
    bench.one_by_one = True

    measure(bench, "d")

    assert held(bench)["(d) slots idle"] is False


def test_a_part_that_cannot_be_measured_fails_and_the_others_are_measured(bench: MadeUpBench) -> None:
    bench.failing = {"b"}

    measure(bench, "bd")

    assert held(bench)["(b)"] is False
    assert held(bench)["(d) left after the end"] is True
    assert not bench.holds


def test_three_gpus_have_one_pair_and_one_gpu_none(bench: MadeUpBench) -> None:
    bench.gpus, bench.granted = 3, [["0", "1"]]
    measure(bench, "b")
    assert bench.holds
    assert "(b) 1 two-GPU trial" in held(bench)

    bench.gpus, bench.rows, bench.crowd = 1, [], ["COMPLETED", "DIVERGED"] * 2
    measure(bench, "abcd")
    assert bench.holds
    assert [row["what"] for row in bench.rows if row["measured"] == "not measured"] == ["(a)", "(c)", "(b)"]


def test_a_process_that_is_left_over_is_found_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, str(tmp_path))
    monkeypatch.setattr(node, "gpu_processes", lambda: [("4711", "GPU-a"), ("4712", "GPU-a")])

    command = [sys.executable, "-c", "print(flush=True); input()  # left over"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # before that the kernel may not show its environment
        found = leftovers({"4711"}, grace_s=0)
        process.communicate(b"\n")

    assert len(found) == 2
    assert found[0].startswith(str(process.pid))
    assert "left over" in found[0]
    assert found[1] == "GPU process 4712"
    assert leftovers({"4711", "4712"}, grace_s=0) == []


def test_trials_have_the_mark_by_which_leftovers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, "here")

    assert trial_environment(os.environ, tag="study/0000/1")[MARK] == "here"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no GPU here"),
        (["--gpus", "0", "--smoke"], "--gpus 0: expected a number from 1"),
        (["--gpus", "2"], "--gpus 2: expected a number from 1 to 0"),
        (["--smoke", "--parts", "ax"], "some of the letters"),
        (["--smoke", "--parts", ""], "some of the letters"),
        (["--smoke", "--gpus", "1", "--parts", "abc"], "need two GPUs"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_status_2(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node, "gpu_names", list)

    with pytest.raises(SystemExit) as raised:
        read_options(words)

    assert raised.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("holds", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_is_1_when_something_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, *, holds: bool
) -> None:
    for name in ("PATH", "RAY_OVERRIDE_RESOURCES", MARK):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setattr(node, "make_data", lambda _: IMAGES)
    monkeypatch.setattr(node, "measure", lambda bench, _: bench.note("(d)", "0.5 %", "< 3 %", holds=holds))

    assert main([str(tmp_path / "out"), "--smoke"]) == status

    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["ok" if holds else "FAIL", "(d)", "0.5", "%", "<", "3", "%"]
    assert json.loads((tmp_path / "out/node.json").read_text(encoding="utf-8"))["holds"] is holds


@pytest.mark.slow
def test_the_script_runs_from_anywhere_on_logical_gpus(tmp_path: Path) -> None:
    script = Path(node.__file__).parent / "run.sh"

    done = subprocess.run(
        [str(script), "out", "--smoke", "--gpus", "2", "--parts", "bd"],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads((tmp_path / "out/node.json").read_text(encoding="utf-8"))
    assert document["command"] == "benchmarks/node/run.sh out --smoke --gpus 2 --parts bd"
    assert document["holds"] is True
    rows = {row["what"]: row for row in document["rows"]}
    assert rows["(b) devices"]["measured"].startswith("0,1;")
    assert "diverged" in rows["(d) 8 short trials"]["measured"]
