"""Documents of a study have its token: those of another study are refused, whoever reads them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.handoff.best import read_best
from automl.handoff.integrity import require_sound
from automl.request.study_request import StudyRequest
from automl.storage.final_status import read_settled
from automl.storage.own_documents import read_own, token_of, write_own
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import write_plan
from automl.storage.study_directory import read_state, write_record
from automl.storage.study_document import study_document
from automl.study.evaluation import Evaluation, RecordLocation
from automl.study.trial import TrialResult, TrialState
from automl.tracking.mlflow.folder import MlflowFolder, UploadState
from automl.tracking.mlflow.uploads import Upload, UploadKind
from tests.automl.storage.recorded import write_result
from tests.automl.storage.test_documents import CHAMPION, EVALUATION
from tests.automl.study.examples import make_plan

if TYPE_CHECKING:
    from pathlib import Path

SERVER = "http://server:5000"
RECORD = RecordLocation(tracking_uri=SERVER, experiment="demo", run_id="abc")
REQUEST = StudyRequest(skill="toy", name="example")
RESULT = TrialResult(number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000", values={"val/d1": 1})


def study(root: Path) -> StudyPaths:
    """Make a study of one trial with every document that is read again; two of them differ in nothing but a token."""
    paths, plan = StudyPaths(root), make_plan(REQUEST)
    root.mkdir(parents=True)
    write_plan(paths, plan, REQUEST, RECORD, root.parent)
    write_result(paths, RESULT)
    write_record(paths, RECORD, root.parent)
    write_own(paths, paths.evaluations_file, {"champion": EVALUATION}, dict[str, Evaluation])
    write_own(paths, paths.best_file, dataclasses.replace(CHAMPION, trial=0))
    folder = MlflowFolder(paths)
    folder.save_state(SERVER, UploadState(run_ids={"study": "abc"}))
    upload = Upload(run="study", kind=UploadKind.TAGS, data={})
    folder.reject(SERVER, upload, "too long")
    return paths


def replaced(own: StudyPaths, other: StudyPaths, name: str) -> StudyPaths:
    """Copy a file of another study to its place in one."""
    (file,) = other.root.glob(name)
    shutil.copyfile(file, own.root / other.relative(file))
    return own


def test_each_study_has_a_token_and_keeps_it(tmp_path: Path) -> None:
    own, other = study(tmp_path / "own"), study(tmp_path / "other")
    before = token_of(own)
    write_plan(own, make_plan(REQUEST), REQUEST, RECORD, tmp_path)  # as a resume does

    assert token_of(own) == before != token_of(other)
    assert token_of(StudyPaths(shutil.copytree(own.root, tmp_path / "copy"))) == before
    assert require_sound(own).started is not None


@pytest.mark.parametrize("name", ["plan.json", "events.jsonl"])
def test_the_plan_or_the_log_of_another_study_is_refused_by_whoever_reads_the_study(tmp_path: Path, name: str) -> None:
    own = replaced(study(tmp_path / "own"), study(tmp_path / "other"), name)

    for read in (read_state, lambda paths: read_settled(paths.root), require_sound):
        with pytest.raises(ConfigurationError, match=r"the log of another study than that of plan\.json"):
            read(own)


@pytest.mark.parametrize(
    "name",
    ["evaluations.json", "record.json", "best.json", "trials/0000/result.json", "tracking/mlflow/rejected.jsonl"],
)
def test_a_document_of_another_study_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    own = replaced(study(tmp_path / "own"), study(tmp_path / "other"), name)

    with pytest.raises(ConfigurationError, match="of another study") as error:
        require_sound(own)

    assert error.value.problems[0].where == str(own.root / name)


@pytest.mark.parametrize("name", ["evaluations.json", "record.json"])
def test_what_status_compare_and_report_show_is_of_the_study_itself(tmp_path: Path, name: str) -> None:
    own = replaced(study(tmp_path / "own"), study(tmp_path / "other"), name)

    with pytest.raises(ConfigurationError, match=f"{name}(?s:.*)a document of another study"):
        study_document(own.root)


def test_the_best_checkpoint_of_another_study_is_not_taken(tmp_path: Path) -> None:
    own = replaced(study(tmp_path / "own"), study(tmp_path / "other"), "best.json")

    with pytest.raises(ConfigurationError, match="a document of another study"):
        read_best(own.root)
    (notice,) = read_settled(own.root)[2].notices
    assert "best.json cannot be used: a document of another study than that of plan.json; move it away" in notice


def test_runs_of_another_study_are_not_taken_for_those_of_a_study(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = replaced(study(tmp_path / "own"), study(tmp_path / "other"), "tracking/mlflow/sent-*.json")

    assert MlflowFolder(own).load_state(SERVER) == UploadState()
    assert "is a document of another study than that of plan.json: everything is sent again" in caplog.text


def test_a_study_of_an_earlier_version_has_no_token_and_takes_no_document_that_has_one(tmp_path: Path) -> None:
    old, other = StudyPaths(tmp_path / "old"), study(tmp_path / "other")
    old.root.mkdir()
    document = json.loads(other.best_file.read_text(encoding="utf-8"))
    kept = {key: value for key, value in document.items() if key not in {"has_check", "check", "of_study"}}
    old.best_file.write_text(json.dumps(kept), encoding="utf-8")

    assert token_of(old) == ""
    assert read_own(old, old.best_file, type(CHAMPION)).trial == 0
    with pytest.raises(ConfigurationError, match="a document of another study"):
        read_own(replaced(old, other, "best.json"), old.best_file, type(CHAMPION))


def test_a_document_whose_check_is_gone_is_refused_though_its_token_is_right(tmp_path: Path) -> None:
    own = study(tmp_path / "own")
    document = json.loads(own.best_file.read_text(encoding="utf-8"))
    del document["has_check"], document["check"]
    own.best_file.write_text(json.dumps({**document, "value": 9.0}), encoding="utf-8")

    with pytest.raises(ConfigurationError, match="its check is gone"):
        read_own(own, own.best_file, type(CHAMPION))
