"""A whole study on the toy skill: search, record, champion, and what the other commands say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import Done, automl

if TYPE_CHECKING:
    from _pytest.tmpdir import TempPathFactory

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def results(tmp_path_factory: TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    # The user stands here: what lies around is no code of the study, its record and its workers.
    for name in ("random", "numpy", "mlflow", "types", "queue", "ray", "automl"):
        (folder / f"{name}.py").write_text("raise SystemExit('a module of the working folder')\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tuned(results: Path) -> Done:
    return automl("run", "toy/quick", "--policy", "on", "--trials", "6", "--json", results=results)


def test_the_search_ends_well_and_beats_trial_0(tuned: Done) -> None:
    assert tuned.status == 0, tuned.err
    document = tuned.document
    by_number = {trial["number"]: trial for trial in document["trials"]}

    assert document["route"] == "tune"
    assert len(by_number) == 6
    assert document["best"]["values"]["val/r2"] > by_number[0]["values"]["val/r2"]


def test_trial_0_runs_the_template_as_it_is(tuned: Done, results: Path) -> None:
    trial = tuned.document["trials"][0]
    plan = json.loads((results / "toy-quick" / "plan.json").read_text(encoding="utf-8"))

    assert trial["assignment"] == plan["first_trials"][0]


def test_the_best_checkpoint_is_kept_with_its_hash_and_spec(tuned: Done) -> None:
    study = Path(tuned.document["study_dir"])
    best = json.loads((study / "best.json").read_text(encoding="utf-8"))

    assert best["sha256"] == tuned.document["best"]["sha256"]
    assert (study / best["checkpoint"]).exists()
    assert (study / "best_spec.yaml").exists()


def test_the_best_checkpoint_was_evaluated_again_and_there_was_no_baseline(tuned: Done) -> None:
    found = tuned.document["evaluations"]

    assert found["champion"]["value"] == tuned.document["best"]["values"]["val/r2"]
    assert found["champion"]["is_reproduced"] is True
    assert found["baseline"]["status"] == "unavailable"
    assert "checkpoint to start from" in found["baseline"]["reason"]


def test_only_its_user_may_look_into_any_folder_of_a_study(tuned: Done) -> None:
    study = Path(tuned.document["study_dir"])
    folders = [study, *(path for path in study.rglob("*") if path.is_dir() and not path.is_symlink())]

    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    assert {"train", "best", "mlflow", "evaluate-1"} <= {folder.name for folder in folders}


def test_status_equals_the_end_of_run(tuned: Done, results: Path) -> None:
    status = automl("status", tuned.document["study_dir"], "--json", results=results)

    assert status.document == tuned.document


def test_compare_ranks_the_same_best_trial_first(tuned: Done, results: Path) -> None:
    ranked = automl("compare", tuned.document["study_dir"], "--json", results=results).document["trials"]

    assert ranked[0]["trial"] == tuned.document["best"]["trial"]


def test_mlflow_has_one_parent_run_and_one_child_per_trial(tuned: Done, results: Path) -> None:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - seconds of import that collection need not pay

    study = tuned.document["study_dir"]
    assert automl("sync", study, results=results).status == 0  # on a busy machine the run has not waited for all of it
    record = automl("status", study, "--json", results=results).document["mlflow"]
    client = MlflowClient(record["tracking_uri"])
    experiment = client.get_experiment_by_name(record["experiment"])
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == record["run_id"]]

    assert len(children) == len(tuned.document["trials"])
    assert record["experiment"] == "toy-val_r2-quick"
    assert record["model"].startswith("toy-val_r2-quick version 1, champion")
    version = client.get_model_version_by_alias("toy-val_r2-quick", "champion")
    assert version.run_id == record["run_id"]


def test_training_once_runs_the_spec_of_trial_0(tuned: Done, results: Path) -> None:
    once = automl("run", "toy/once", "--json", results=results)

    assert once.status == 0, once.err
    assert once.document["route"] == "train_once"
    assert [trial["assignment"] for trial in once.document["trials"]] == [{}]
    specs = [
        (Path(done.document["study_dir"]) / done.document["trials"][0]["directory"] / "spec.yaml").read_text("utf-8")
        for done in (tuned, once)
    ]
    first, second = ([line for line in spec.splitlines() if not line.startswith("results_dir")] for spec in specs)
    assert first == second


@pytest.mark.slow
def test_the_spec_of_the_best_trains_the_winner_again(tuned: Done, results: Path) -> None:
    spec = Path(tuned.document["study_dir"]) / "best_spec.yaml"

    once = automl(
        "run", "--skill", "toy", "--policy", "off", "--spec", str(spec), "--results", "again", "--json", results=results
    )

    assert once.status == 0, once.err
    assert once.document["best"]["values"] == tuned.document["best"]["values"]
    assert once.document["best"]["epoch"] == tuned.document["best"]["epoch"]


def test_the_best_checkpoint_is_evaluated_to_the_same_value(tuned: Done, results: Path) -> None:
    done = automl("evaluate", tuned.document["study_dir"], "--json", results=results)

    assert done.status == 0, done.err
    assert done.document["status"] == "measured"
    assert done.document["values"]["val/r2"] == tuned.document["best"]["values"]["val/r2"]


@pytest.mark.slow
def test_the_summary_for_people_says_where_everything_lies(results: Path) -> None:
    done = automl("run", "toy/quick", "--trials", "2", "--yes", results=results)

    assert done.status == 0, done.err
    assert "best" in done.out
    assert "mlflow" in done.out
    assert "automl ui" in done.out
    assert done.err.count("\ntrial ") == 2
