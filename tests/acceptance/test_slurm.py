"""A study inside a real Slurm: its time runs out, it is requeued, and it finishes with all its trials."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.acceptance.command_line import automl
from tests.acceptance.slurm_site import missing, slurm_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(missing() is not None, reason=f"no Slurm here: {missing()}"),
]

TRIALS = 5


def wait_for(fact: Callable[[], bool], *, limit_s: float, describe: Callable[[], str]) -> None:
    ends_s = time.monotonic() + limit_s
    while not fact():
        assert time.monotonic() < ends_s, describe()
        time.sleep(0.5)


def test_a_study_without_checkpoints_that_is_submitted_ends_as_completed_also_when_it_is_requeued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, program = tmp_path / "results", tmp_path / "program"
    program.mkdir()
    (program / "train.py").write_text("import sys\nprint('loss:', abs(float(sys.argv[1]) - 0.3))\n", encoding="utf-8")
    study = {
        "name": "plain",
        "program": "python train.py {lr}",
        "search": {"lr": "0.1..1"},
        "objective": "loss minimize",
    }
    (program / "study.yaml").write_text(yaml.safe_dump({"name": "plain", **study}), encoding="utf-8")
    with slurm_site() as site:
        monkeypatch.setenv("SLURM_CONF", site.environment()["SLURM_CONF"])
        asked = automl(
            *("cluster", "slurm", str(program / "study.yaml"), "--trials", "2", "--results", str(results)),
            *("--cpus-per-node", "1", "--time", "5min", "--submit", "-o", str(tmp_path / "job.sbatch"), "--json"),
            results=tmp_path,
        )
        assert asked.status == 0, asked.err
        number = asked.document["job_id"]
        log = results / f"automl-plain-{number}.log"

        def describe() -> str:
            return f"{site.job(number)}\n{log.read_text(encoding='utf-8') if log.exists() else 'no log'}"

        for restarts in ("0", "1"):
            wait_for(lambda: site.job(number)["JobState"] in {"COMPLETED", "FAILED"}, limit_s=180, describe=describe)
            job = site.job(number)
            assert (job["JobState"], job["Restarts"]) == ("COMPLETED", restarts), describe()
            if restarts == "0":
                site.call("scontrol", "requeue", number)
        status, written = automl("status", str(results / f"plain-{number}"), "--json", results=tmp_path), describe()

    assert "all trials of" in written
    assert not list((results / f"plain-{number}" / "best").glob("*"))
    assert [trial["state"] for trial in status.document["trials"]] == ["COMPLETED"] * 2
    assert not list(results.glob(".slurm-*"))


@pytest.mark.parametrize(
    "ended",
    [("scancel", "--batch", "--signal=USR1"), ("scontrol", "requeue")],
    ids=["time is nearly up", "taken away as by preemption"],
)
def test_a_study_that_is_requeued_once_finishes_with_all_its_trials(tmp_path: Path, ended: tuple[str, ...]) -> None:
    study, results = tmp_path / "slow.yaml", tmp_path / "results"
    settings = {"train.seconds_per_epoch": 0.25}
    study.write_text(
        yaml.safe_dump(
            {"name": "slow", "skill": "toy", "set": settings, "scheduler": "none", "budget": {"trials": TRIALS}}
        ),
        encoding="utf-8",
    )
    script = tmp_path / "job.sbatch"
    done = automl(
        *("cluster", "slurm", str(study), "--results", str(results), "--cpus-per-node", "1", "--jobs", "1"),
        *("--time", "20min", "-o", str(script)),
        results=tmp_path,
    )
    assert done.status == 0, done.err
    results.mkdir()
    with slurm_site() as site:
        number = site.call("sbatch", "--parsable", str(script)).strip()
        directory, log = results / f"slow-{number}", results / f"automl-slow-{number}.log"

        def describe() -> str:
            return f"{site.job(number)}\n{log.read_text(encoding='utf-8') if log.exists() else 'no log'}"

        wait_for((directory / "trials/0000/result.json").exists, limit_s=180, describe=describe)
        site.call(*ended, number)
        wait_for(lambda: site.job(number)["JobState"] in {"COMPLETED", "FAILED"}, limit_s=300, describe=describe)

        job = site.job(number)
        written = log.read_text(encoding="utf-8")

    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1"), written
    assert "going on with" in written
    states = [json.loads(file.read_text(encoding="utf-8"))["state"] for file in directory.glob("trials/*/result.json")]
    assert len(states) == TRIALS
    assert set(states) <= {"COMPLETED", "DIVERGED"}
    assert (directory / "best.json").exists()
    assert not list(results.glob(".slurm-*"))
