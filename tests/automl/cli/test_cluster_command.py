"""`automl cluster`: jobs are written for review; a study that cannot run makes none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.cli.app import run_command_line
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.study.events import HandedOver, StudyEnded
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_a_script_is_written_and_says_how_to_submit_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "job.sbatch"

    status = run_command_line(
        [
            *("cluster", "slurm", "toy/quick", "--trials", "4", "--time", "4h", "--study-time", "1h"),
            *("--results", str(tmp_path / "results"), "-o", str(file)),
        ]
    )

    script = file.read_text(encoding="utf-8")
    assert status == 0
    assert f"sbatch {file}" in capsys.readouterr().out
    assert "#SBATCH --time=4:00:00" in script
    for words in ("--trials 4", "--time 3600"):
        assert words in script
    assert not (tmp_path / "results").exists()


def test_trials_at_once_follow_the_nodes_unless_the_words_say_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def at_once(*more: str) -> int:
        arguments = ["cluster", "slurm", "toy/quick", "--nodes", "2", "--gpus-per-node", "4", "--json", *more]
        assert run_command_line([*arguments, "--results", str(tmp_path), "-o", str(tmp_path / "job")]) == 0
        return int(json.loads(capsys.readouterr().out)["jobs"])

    assert at_once("--gpus-per-trial", "1") == 8
    assert at_once("--gpus-per-trial", "2") == 4
    assert at_once("--gpus-per-trial", "1", "--request", "3 at a time") == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["toy/quik"], "did you mean toy/quick?"),
        (["toy/quick", "--gpus-per-trial", "2", "--gpus-per-node", "1"], "--gpus-per-node"),
        (["toy/quick", "--time", "soon"], "walltime"),
        (["toy/quick", "--partition", "a b"], "--partition"),
    ],
)
def test_what_cannot_run_makes_no_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    file = tmp_path / "job.sbatch"

    status = run_command_line(["cluster", "slurm", *arguments, "--results", str(tmp_path), "-o", str(file)])

    assert status == 2
    assert said in capsys.readouterr().err
    assert not file.exists()


def fake_sbatch(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    tool = folder / "sbatch"
    tool.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_submitted_job_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_sbatch(tmp_path, monkeypatch, "echo '4711;cluster'")
    results = tmp_path / "results"

    status = run_command_line(
        ["cluster", "slurm", "toy/quick", "--results", str(results), "-o", str(tmp_path / "j"), "--submit", "--json"]
    )

    assert status == 0
    assert json.loads(capsys.readouterr().out)["job_id"] == "4711"
    assert results.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("text", "said"), [("echo no such partition >&2; exit 1", "no such partition"), ("true", "squeue --name automl-")]
)
def test_an_sbatch_that_refuses_or_says_nothing_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    fake_sbatch(tmp_path, monkeypatch, text)

    status = run_command_line(
        ["cluster", "slurm", "toy/quick", "--results", str(tmp_path), "-o", str(tmp_path / "j"), "--submit"]
    )

    assert status == 4
    assert said in capsys.readouterr().err


def test_manifests_contain_the_study_file_and_the_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "mine.yaml"
    study.write_text("skill: toy\nname: mine\nbudget: {trials: 3}\n", encoding="utf-8")

    status = run_command_line(
        ["cluster", "kubernetes", str(study), "--container", "x/automl:1", "--policy", "on", "-o", "-"]
    )

    documents = {document["kind"]: document for document in yaml.safe_load_all(capsys.readouterr().out)}
    assert status == 0
    assert yaml.safe_load(documents["ConfigMap"]["data"]["study.yaml"])["budget"] == {"trials": 3}
    assert (
        "run=(/etc/automl/study.yaml --policy on --results /shared/results)"
        in (documents["ConfigMap"]["data"]["start.sh"])
    )


def test_data_of_this_machine_make_no_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "job.yaml"
    data = ("--data", f"train={tmp_path}/t.txt", "--data", f"val={tmp_path}/v.txt")

    status = run_command_line(
        ["cluster", "kubernetes", "--skill", "depth_net_mono", *data, "--container", "x/automl:1", "-o", str(file)]
    )

    assert status == 2
    assert "which is in no pod" in capsys.readouterr().err
    assert not file.exists()


def test_a_job_takes_the_outcome_of_its_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roots = [write_study(tmp_path / name) for name in ("completed", "failed", "cut_off")]
    for root in roots[:2]:
        is_failure = root.name == "failed"
        ended = StudyEnded(trials=4, best_trial=2, best_value=0.7, reason="no more", is_failure=is_failure)
        log = EventLog(StudyPaths(root).events_file)
        log.append(ended)
        log.append(HandedOver())
        log.close()

    statuses = [run_command_line(["cluster", "outcome", str(root)]) for root in roots]

    assert statuses == [0, 5, 130]
    assert f"{roots[1]}: failed: no more" in capsys.readouterr().out
