"""Entries fit into MLflow whatever a study contains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from automl.study.causes import Origin, OriginKind
from automl.study.evaluation import ActionStatus, Evaluation
from automl.study.goals import parse_constraints
from automl.study.model import Direction, Objective
from automl.study.result import StudyResult
from automl.study.trial import Measurement, Proposal, TrialResult, TrialState
from automl.tracking.mlflow.entries import (
    STUDY_RUN,
    action_entries,
    evaluation_entries,
    measurement_entries,
    study_end_entries,
    study_entries,
    study_suspension_entries,
    tags,
    trial_end_entries,
    trial_start_entries,
)
from automl.tracking.mlflow.outbox import EntryKind
from tests.automl.tracking.synthetic import OBJECTIVE, RESULTS, make_plan


def test_the_study_run_lists_what_was_searched_and_with_what() -> None:
    run, artifact = study_entries(
        make_plan(Path("study")), Path("study"), {"version.ray": "2.60", "data.train": "sha256:ab t.txt"}, 5
    )

    assert run.data["tags"]["automl.space"] == "train.optim.lr, model.sizes[1]"
    assert run.data["tags"]["automl.version.ray"] == "2.60"
    assert run.data["tags"]["automl.data.train"] == "sha256:ab t.txt"
    assert artifact.data["path"] == "plan.json"


def test_a_trial_without_an_assignment_has_no_parameters() -> None:
    proposal = Proposal(number=0, assignment={}, origin=Origin(OriginKind.TEMPLATE))

    assert [entry.kind for entry in trial_start_entries(proposal, "trials/0000", 1, 0)] == [EntryKind.RUN]


def test_finite_and_other_values_of_one_measurement_are_kept_apart() -> None:
    measurement = Measurement(epoch=2, values={"val/R@1": 0.5}, nonfinite={"val/loss": "inf"})

    metrics, found = measurement_entries(3, measurement, 2, 1000)

    assert metrics.data == {"values": {"val/R:at:1": 0.5}, "step": 2, "time_ms": 1000}
    assert found.data["values"] == {"automl.nonfinite.val/loss": "inf at 2"}


def test_a_measurement_without_values_is_nothing() -> None:
    assert measurement_entries(3, Measurement(epoch=2, message="started"), 2, 1000) == []


def test_panels_go_into_their_own_folder() -> None:
    entries = trial_end_entries(RESULTS[0], "val/d1", ["trials/0000/panels/a.png", "trials/0000/train.log"], 0)

    folders = [entry.data["folder"] for entry in entries if entry.kind is EntryKind.ARTIFACT]
    assert folders == ["panels", ""]


def test_a_study_that_is_cut_off_is_no_running_one_and_says_why() -> None:
    told, end = study_suspension_entries("Ctrl-C or SIGTERM", 5)

    assert told.data["values"] == {"automl.state": "INTERRUPTED", "automl.end_reason": "Ctrl-C or SIGTERM"}
    assert (end.kind, end.run, end.data) == (EntryKind.END, STUDY_RUN, {"status": "KILLED", "end_ms": 5})


def test_a_trial_without_a_value_has_no_best_metric() -> None:
    entries = trial_end_entries(RESULTS[2], "val/d1", [], 0)

    names = [name for entry in entries if entry.kind is EntryKind.METRICS for name in entry.data["values"]]
    assert names == ["automl.elapsed_s", "automl.epochs"]


def test_an_interrupted_study_is_killed_and_can_be_told_from_a_failed_one() -> None:
    interrupted = replace(RESULTS[1], state=TrialState.INTERRUPTED)
    ends = {
        "KILLED": (RESULTS[0], interrupted),
        "FAILED": (RESULTS[2],),
        "FINISHED": RESULTS,
    }

    for status, trials in ends.items():
        *_, end = study_end_entries(StudyResult(objective=OBJECTIVE, trials=trials), 0)
        assert end.data["status"] == status


def test_an_action_is_a_run_of_its_own_below_its_trial() -> None:
    result = {
        "action": "evaluate",
        "status": "measured",
        "reason": "",
        "trial": 4,
        "epoch": 1,
        "checkpoint": "best/c.pth",
        "directory": "actions/evaluate-1",
        "values": {"val/d1": 0.7},
        "elapsed_s": 2.0,
    }

    run, metrics, end = action_entries("evaluate-1", result, [], 10_000)

    assert (run.run, run.data["parent"], run.data["start_ms"]) == ("evaluate-1", "0004", 8000)
    assert metrics.data["values"] == {"val/d1": 0.7}
    assert end.data["status"] == "FINISHED"


def test_tags_are_cut_to_what_mlflow_takes() -> None:
    cut = tags({"x" * 300: "y" * 9000})

    assert [(len(name), len(value)) for name, value in cut.items()] == [(250, 8000)]


def test_the_front_and_the_missed_constraints_are_tags() -> None:
    size = Objective(metric="size", direction=Direction.MINIMIZE)
    trials = tuple(
        TrialResult(
            number=n,
            state=TrialState.COMPLETED,
            assignment={},
            directory="",
            values={OBJECTIVE.metric: 0.5, "size": float(n)},
        )
        for n in range(3)
    )
    limits = parse_constraints(["size >= 1"])

    entries = study_end_entries(StudyResult(objective=OBJECTIVE, trials=trials, further=(size,), constraints=limits), 0)

    told = {entry.run: entry.data["values"] for entry in entries if entry.kind is EntryKind.TAGS}
    assert told["0001"] == {"automl.pareto": "true"}
    assert told["0000"] == {"automl.unmet": "size is 0, not size >= 1"}
    assert told[STUDY_RUN]["automl.pareto"] == "1"


def test_evaluations_are_metrics_and_words_of_the_study() -> None:
    evaluations = {
        "baseline": Evaluation(status=ActionStatus.UNAVAILABLE, reason="no start"),
        "champion": Evaluation(status=ActionStatus.MEASURED, value=0.7),
    }

    told, metrics = evaluation_entries(evaluations, 5)

    assert told.data["values"]["automl.evaluation.baseline"] == "unavailable: no start"
    assert (metrics.run, metrics.data["values"]) == (STUDY_RUN, {"automl.evaluated.champion": 0.7})
    assert evaluation_entries({}, 5) == []
