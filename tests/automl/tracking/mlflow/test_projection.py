"""Uploads fit into MLflow whatever a study contains."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from automl.storage.documents import from_json
from automl.storage.event_log import Entry
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import StoredPlan
from automl.study.causes import Origin, OriginKind
from automl.study.earlier import Agreement, EarlierStudy
from automl.study.evaluation import ActionStatus, Evaluation
from automl.study.events import (
    ActionEnded,
    AgreementEstimated,
    Evaluated,
    Event,
    FileAttached,
    ModelRegistered,
    StudyEnded,
    StudySuspended,
    TrialEnded,
    TrialProposed,
    TrialRetried,
)
from automl.study.trial import TrialResult, TrialState
from automl.tracking.mlflow.names import MAX_NAME_LENGTH
from automl.tracking.mlflow.projection import Projection
from automl.tracking.mlflow.study_run import NOTE_TAG
from automl.tracking.mlflow.uploads import MAX_TAG_LENGTH, STUDY_RUN, Upload, UploadKind
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import ROOT, measured, trial_started
from tests.automl.tracking.synthetic import OBJECTIVE, RESULTS, plan_of

TIME_MS = 1_767_323_045_678
ENDED = StudyEnded(trials=5, best_trial=4, best_value=0.7, reason="all trials have ended (5)")
SYSTEM = {"system/memory_gib": 1.0}


@pytest.fixture
def projection() -> Projection:
    return Projection(from_json(plan_of(ROOT), StoredPlan), StudyPaths(ROOT))


def project(projection: Projection, *events: Event) -> list[Upload]:
    time = datetime.fromtimestamp(TIME_MS / 1000, UTC)
    return [upload for event in events for upload in projection.uploads(Entry(event, time, 0))]


def values_of(uploads: list[Upload], kind: UploadKind) -> list[dict[str, Any]]:
    return [upload.data["values"] for upload in uploads if upload.kind is kind]


def test_the_study_run_says_of_each_earlier_study_how_alike_it_is_or_why_it_is_not_used() -> None:
    earlier = tuple(EarlierStudy(name=name, trials=()) for name in ("alike", "noise", "turned"))
    plan = replace(from_json(plan_of(ROOT), StoredPlan), earlier=earlier)
    studies = {"alike": Agreement(correlation=0.9, pairs=3, alike=2), "noise": Agreement(correlation=None)}

    tags, metrics = project(Projection(plan, StudyPaths(ROOT)), AgreementEstimated(trial=3, studies=studies))

    assert tags.data["values"]["automl.agreement"] == (
        "alike: correlation 0.90; it ranks 2 of 3 pairs of trials as here; noise: its values follow no pattern: not "
        "used; turned: not used: the first values here contradict it"
    )
    assert metrics.data["values"] == {"automl.agreement.alike": 0.9}


def test_the_study_run_has_what_was_searched_and_with_what(projection: Projection) -> None:
    environment = {"version.ray": "2.60", "data.train": "sha256:ab t.txt"}
    run, settings, artifact = project(projection, study_started(environment=environment, fingerprint="ff"))

    tags = run.data["tags"]
    assert (run.run, run.data["name"], run.data["start_ms"]) == (STUDY_RUN, "demo", TIME_MS)
    assert tags["automl.space"] == "train.optim.lr, model.sizes[1]"
    assert (tags["automl.sampler"], tags["automl.seed"], tags["automl.fingerprint"]) == ("gp", "7", "ff")
    assert tags["automl.version.ray"] == "2.60"
    assert tags["automl.data.train"] == "sha256:ab t.txt"
    assert artifact.data["path"] == "plan.json"
    assert settings.data["values"]["automl.objective"] == "maximize val/d1"
    assert settings.data["values"]["train.optim.lr"] == "0.001"
    assert "automl.trials" not in settings.data["values"], "a resume may change it, and MLflow's parameters are final"


def test_the_study_run_says_who_ran_what_from_which_revision_on_which_data(projection: Projection) -> None:
    environment = {
        "user": "ada",
        "version.git": "ab" * 20,
        "version.git.skill": f"{'cd' * 20}-dirty",
        "data.dataset.train": f"sha256:{'12' * 32} /data/indoor/train list.txt",
        "data.dataset.val": f"names:{'34' * 32} /data/indoor/val",
        "data.weights": "/data/too_large.bin",
    }

    run, _, inputs, _ = project(projection, study_started(environment=environment))
    _, trial, _ = project(projection, study_started(), trial_started(3, lr=0.5))[-3:]

    tags = run.data["tags"]
    assert (tags["mlflow.user"], tags["mlflow.source.name"], tags["mlflow.source.type"]) == ("ada", "automl", "LOCAL")
    assert tags["mlflow.source.git.commit"] == "cd" * 20
    assert "val/d1" in tags[NOTE_TAG]
    assert [(one["name"], one["digest"], one["context"]) for one in inputs.data["datasets"]] == [
        ("indoor/train list.txt", ("12" * 32)[:36], "training"),
        ("indoor/val", ("34" * 32)[:36], "validation"),
    ]
    assert trial.data["name"] == "demo trial 3"
    assert trial.data["tags"]["mlflow.source.name"] == "automl"


def test_the_summary_of_a_study_is_its_description(projection: Projection) -> None:
    project(projection, *map(TrialEnded, RESULTS))

    note = values_of(project(projection, ENDED), UploadKind.TAGS)[-1][NOTE_TAG]

    assert note.startswith("**Trial 4: val/d1 0.7** at epoch 2 of 3.")
    assert "all trials have ended (5). Trials: 2 completed, 1 diverged, 1 failed, 1 stopped." in note
    assert "| `train.optim.lr` | 0.005 |" in note


def test_a_trial_without_a_value_after_all_ends_with_none_in_the_metric_that_is_searched_by(
    projection: Projection,
) -> None:
    diverged, failed, stopped = RESULTS[2], RESULTS[3], RESULTS[1]
    seen = [measured(result.number, 0, {"val/d1": 0.99, "loss": 1.0}) for result in (diverged, stopped)]

    uploads = project(projection, *seen, *map(TrialEnded, (diverged, stopped, failed)))

    points = [(u.run, u.data["step"], u.data["values"]) for u in uploads if u.kind is UploadKind.METRICS]
    missing = [(run, step, name) for run, step, values in points for name, value in values.items() if math.isnan(value)]
    assert missing == [("0002", 0, "val/d1")]


def test_every_study_with_a_value_ends_with_it_as_its_last_best_value(projection: Projection) -> None:
    worse = replace(RESULTS[4], number=5, values={"val/d1": 0.6})
    uploads = project(projection, *map(TrialEnded, (*RESULTS, worse)), ENDED)

    best = [u.data for u in uploads if u.kind is UploadKind.METRICS and "automl.best" in u.data["values"]]
    of_study = [
        (data["step"], data["values"]["automl.best"]) for data in best if data["values"].keys() == {"automl.best"}
    ]
    assert of_study[-1] == (5, 0.7)


def test_an_attempt_that_was_killed_with_its_driver_is_a_tag_of_the_next_one(projection: Projection) -> None:
    retried = TrialRetried(trial=1, change={}, failure="out_of_memory", reason="out of GPU memory")

    uploads = project(
        projection,
        trial_started(0),
        trial_started(0, attempt=2),
        trial_started(1),
        retried,
        trial_started(1, attempt=2),
    )

    runs = [upload.data["tags"] for upload in uploads if upload.kind is UploadKind.RUN]
    assert runs[1]["automl.attempt.1"] == "INTERRUPTED: what ran it was killed"
    assert values_of(uploads, UploadKind.TAGS) == [{"automl.attempt.1": "FAILED: out of GPU memory"}]
    assert "automl.attempt.1" not in runs[3]


def test_a_trial_without_an_assignment_has_no_parameters(projection: Projection) -> None:
    uploads = project(projection, study_started(), trial_started(0))

    assert [upload.kind for upload in uploads if upload.run == "0000"] == [UploadKind.RUN]
    assert uploads[-1].data["tags"]["automl.directory"] == "trials/0000"


def test_a_replicate_names_its_trial_and_its_seed(projection: Projection) -> None:
    proposed = TrialProposed(
        trial=3, assignment={}, origin=Origin(OriginKind.REPLICATE, parent=1, seed=5), replicate_of=1, seed=5
    )

    *_, run = project(projection, study_started(), proposed, trial_started(3))

    assert (run.data["tags"]["automl.replicate_of"], run.data["tags"]["automl.trainer_seed"]) == ("1", "5")


def test_finite_and_other_values_of_one_measurement_are_kept_apart(projection: Projection) -> None:
    metrics, found = project(projection, measured(3, 2, {"val/R@1": 0.5}, **{"val/loss": "inf"}))

    assert metrics.data == {"values": {"val/R:at:1": 0.5}, "step": 2, "time_ms": 1_700_000_002_000}
    assert found.data["values"] == {"automl.nonfinite.val/loss": "inf at 2"}


def test_a_measurement_without_values_is_nothing(projection: Projection) -> None:
    assert project(projection, measured(3, 2, {})) == []


def test_a_point_that_a_resume_reads_again_is_left_out(projection: Projection) -> None:
    uploads = project(projection, *[measured(3, 2, {"val/d1": 0.5})] * 2, measured(3, 2, {"val/d1": 0.6}))

    assert values_of(uploads, UploadKind.METRICS) == [{"val/d1": 0.5}, {"val/d1": 0.6}]


def test_what_is_measured_before_the_first_epoch_comes_after_it(projection: Projection) -> None:
    uploads = project(
        projection,
        measured(0, None, SYSTEM),
        measured(0, 0, {"val/d1": 0.5}),
        measured(1, None, SYSTEM),
        TrialEnded(RESULTS[1]),
    )

    names = [next(iter(values)) for values in values_of(uploads, UploadKind.METRICS)]
    assert names[:3] == ["val/d1", "system/memory_gib", "system/memory_gib"]


def test_a_study_that_is_cut_off_is_not_running_and_says_why(projection: Projection) -> None:
    tags, end = project(projection, StudySuspended(reason="Ctrl-C or SIGTERM"))

    assert tags.data["values"] == {"automl.state": "INTERRUPTED", "automl.end_reason": "Ctrl-C or SIGTERM"}
    assert end == Upload(UploadKind.END, STUDY_RUN, {"status": "KILLED", "end_ms": TIME_MS})


def test_a_trial_without_a_value_has_no_best_metric(projection: Projection) -> None:
    uploads = project(projection, TrialEnded(RESULTS[2]))

    assert [list(values) for values in values_of(uploads, UploadKind.METRICS)] == [
        ["automl.elapsed_s", "automl.epochs"]
    ]


def test_the_best_value_so_far_is_a_metric_of_the_study(projection: Projection) -> None:
    uploads = project(projection, *map(TrialEnded, RESULTS))

    best = [upload.data for upload in uploads if upload.run == STUDY_RUN]
    assert [(data["values"], data["step"]) for data in best] == [({"automl.best": 0.5}, 0), ({"automl.best": 0.7}, 4)]


@pytest.mark.parametrize(
    ("status", "trials"),
    [
        ("KILLED", (RESULTS[0], replace(RESULTS[1], state=TrialState.INTERRUPTED))),
        ("FAILED", (RESULTS[2],)),
        ("FINISHED", RESULTS),
    ],
)
def test_an_interrupted_study_is_killed_and_differs_from_a_failed_one(
    projection: Projection, status: str, trials: tuple[TrialResult, ...]
) -> None:
    *_, end = project(projection, *map(TrialEnded, trials), ENDED)

    assert end.data["status"] == status


def test_an_assignment_that_the_end_of_a_trial_lacks_is_that_of_its_start(projection: Projection) -> None:
    ended = replace(RESULTS[0], assignment={})

    uploads = project(projection, trial_started(0, lr=0.25), TrialEnded(ended), ENDED)

    assert values_of(uploads, UploadKind.TAGS)[-1]["automl.best.lr"] == "0.25"


def test_an_action_is_a_run_of_its_own_below_its_trial(projection: Projection) -> None:
    result = {
        "action": "evaluate",
        "status": "measured",
        "reason": "",
        "trial": 4,
        "epoch": 1,
        "checkpoint": "best/c.pth",
        "directory": "actions/evaluate-1",
        "values": {"val/d1": 0.7},
        "files": [],
        "elapsed_s": 2.0,
    }

    project(projection, study_started(environment={"user": "ada"}))
    run, metrics, files, end = project(projection, *[ActionEnded(key="evaluate-1", result=result)] * 2)

    assert (run.run, run.data["parent"], run.data["start_ms"]) == ("evaluate-1", "0004", TIME_MS - 2000)
    assert metrics.data["values"] == {"val/d1": 0.7}
    assert files.kind is UploadKind.ACTION_FILES
    assert run.data["tags"]["mlflow.user"] == "ada"
    assert end.data["status"] == "FINISHED"


def test_names_and_values_are_cut_to_what_mlflow_takes(projection: Projection) -> None:
    run, *_ = project(projection, study_started(environment={"x" * 300: "y" * 9000}))

    name, value = list(run.data["tags"].items())[-1]
    assert (len(name), len(value)) == (MAX_NAME_LENGTH, MAX_TAG_LENGTH)


def test_the_front_and_the_missed_constraints_are_tags() -> None:
    objectives = [{"metric": OBJECTIVE.metric, "direction": "maximize"}, {"metric": "size", "direction": "minimize"}]
    projection = Projection(
        from_json(plan_of(ROOT, objectives=objectives, constraints=["size >= 1"]), StoredPlan), StudyPaths(ROOT)
    )
    trials = [
        replace(RESULTS[0], number=n, values={OBJECTIVE.metric: 0.5, "size": float(n)}, assignment={}) for n in range(3)
    ]
    project(projection, study_started(), *map(TrialEnded, trials))

    tags = {u.run: u.data["values"] for u in project(projection, ENDED) if u.kind is UploadKind.TAGS}

    assert tags["0001"] == {"automl.pareto": "true"}
    assert tags["0000"] == {"automl.unmet": "size is 0, not size >= 1"}
    assert tags[STUDY_RUN]["automl.pareto"] == "1"


def test_evaluations_are_metrics_and_tags_of_the_study(projection: Projection) -> None:
    evaluations = {
        "baseline": Evaluation(status=ActionStatus.UNAVAILABLE, reason="no start"),
        "champion": Evaluation(status=ActionStatus.MEASURED, value=0.7),
    }

    tags, metrics = project(projection, Evaluated(evaluations=evaluations))

    assert tags.data["values"]["automl.evaluation.baseline"] == "unavailable: no start"
    assert (metrics.run, metrics.data["values"]) == (STUDY_RUN, {"automl.evaluated.champion": 0.7})
    assert project(projection, Evaluated(evaluations={})) == []


def test_a_model_and_a_file_are_uploads_of_their_own(projection: Projection) -> None:
    model, file = project(
        projection, ModelRegistered(request={"name": "demo"}), FileAttached(run="0003", path="a.png", folder="panels")
    )

    assert model == Upload(UploadKind.MODEL, STUDY_RUN, {"name": "demo"})
    assert file == Upload(UploadKind.ARTIFACT, "0003", {"path": "a.png", "folder": "panels"})
