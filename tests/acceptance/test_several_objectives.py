"""Several objectives, a command that measures more, a constraint and replicates, from the command line on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import automl

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

MEASURE = """
import json, os, sys
rate = next(float(line.split(":")[1]) for line in open(sys.argv[1]) if line.strip().startswith("lr:"))
assert os.path.getsize(sys.argv[2]) > 0
print("measured")
print(json.dumps({"cost": 100 * rate, "memory_gib": 1000 * rate}))
"""


@pytest.mark.slow
def test_a_study_of_two_objectives_keeps_a_constraint_and_reports_its_front_and_its_replicates(tmp_path: Path) -> None:
    script = tmp_path / "measure.py"
    script.write_text(MEASURE, encoding="utf-8")

    done = automl(
        *("run", "--skill", "toy", "--policy", "on", "--trials", "8", "--sampler", "gp", "--json", "--yes"),
        *("--replicates", "1", "--objective", "val/r2", "--objective", "cost:minimize"),
        *("--constraint", "memory_gib <= 40"),
        *("--evaluate-with", f"{sys.executable} -S {script} {{spec}} {{checkpoint}}", "--set", "train.num_epochs=3"),
        results=tmp_path,
    )

    assert done.status == 0, done.err
    document = done.document
    trials = {trial["number"]: trial for trial in document["trials"]}
    searched = [t for t in trials.values() if "replicate_of" not in t]
    kept = [t for t in searched if t["values"] and t["values"]["memory_gib"] <= 40]
    assert len(kept) < len([t for t in searched if t["values"]]), "the constraint was never missed"
    assert document["best"]["values"]["val/r2"] == max(t["values"]["val/r2"] for t in kept)
    front = [trials[entry["trial"]] for entry in document["pareto"]]
    assert front
    for one in front:
        assert one["feasible"]
        assert not any(
            other["values"]["val/r2"] > one["values"]["val/r2"] and other["values"]["cost"] < one["values"]["cost"]
            for other in kept
        )
    (proof,) = document["replicates"]
    assert proof["trial"] == document["best"]["trial"]
    assert len(proof["values"]) == len(trials) - len(searched) == 2
    assert proof["gap"] == pytest.approx(document["best"]["values"]["val/r2"] - proof["mean"])
    compared = automl("compare", document["study_dir"], "--json", results=tmp_path).document["trials"]
    assert {row["trial"] for row in compared if row["pareto"]} == {trial["number"] for trial in front}
    best = json.loads((tmp_path / "toy" / "best.json").read_text(encoding="utf-8"))
    assert best["trial"] == document["best"]["trial"]


@pytest.mark.slow
def test_a_study_in_which_no_trial_keeps_the_constraint_fails_and_says_so(tmp_path: Path) -> None:
    done = automl(
        *("run", "--skill", "toy", "--policy", "on", "--trials", "2", "--json", "--yes"),
        *("--constraint", "val/r2 >= 2", "--set", "train.num_epochs=2"),
        results=tmp_path,
    )

    assert done.status == 5
    assert "the constraint val/r2 >= 2 is not kept" in done.err
