"""A copy of a study has an id and runs of its own; a study that was moved goes on in its own."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.documents import checksum
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_record, write_record
from automl.study.evaluation import RecordLocation
from automl.tracking.mlflow.folder import MlflowFolder, UploadState, record_document
from automl.tracking.mlflow.server import comparison_url
from automl.tracking.mlflow.study_id import original_of
from automl.tracking.mlflow.tracker import sync
from automl.tracking.mlflow.uploads import STUDY_RUN
from automl.tracking.mlflow.uri import default_tracking_uri
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append, measured, trial_started

if TYPE_CHECKING:
    from pathlib import Path

SERVER = "http://server:5000"


@pytest.fixture
def own(tmp_path: Path) -> StudyPaths:
    """A study in a results folder, recorded to its end by a server and by the store beside it."""
    study = append(StudyPaths(tmp_path / "results" / "own"), study_started(), trial_started(0))
    folder, store = MlflowFolder(study), default_tracking_uri(study.root.parent)
    (study.root.parent / "mlflow.db").touch()
    for uri in (SERVER, store):
        folder.own_id(uri)
        folder.save_state(uri, known_state(study))
    write_record(study, RecordLocation(tracking_uri=SERVER, experiment="demo", run_id="abc"), study.root.parent)
    return study


def known_state(study: StudyPaths) -> UploadState:
    size = study.events_file.stat().st_size
    return UploadState(position=size, run_ids={STUDY_RUN: "abc", "0000": "def"}, experiment_id="1", has_view=True)


def copied(study: StudyPaths, name: str) -> StudyPaths:
    """Copy a study as ``cp -a`` does, to a path seen from its results folder."""
    time.sleep(0.02)  # the clock of a file system is coarse
    return StudyPaths(shutil.copytree(study.root, study.root.parent / name, symlinks=True))


def moved(study: StudyPaths, name: str) -> StudyPaths:
    return StudyPaths(study.root.rename(study.root.parent / name))


def id_of(study: StudyPaths, uri: str = SERVER) -> str:
    """Return the id of a study as what sends it, or continues it, has it."""
    return MlflowFolder(study).own_id(uri)


def without_home(study: StudyPaths) -> None:
    """Write the id of a study as versions before did."""
    digits = MlflowFolder(study).known_id()
    assert digits is not None
    file = study.mlflow / "study_id"
    file.write_text(f"{digits} {checksum(digits)}\n", encoding="utf-8")


@pytest.mark.parametrize("name", ["own2", "../elsewhere"])
@pytest.mark.parametrize("is_copy_first", [True, False])
def test_a_copy_gets_an_id_of_its_own_and_says_so(
    own: StudyPaths, name: str, caplog: pytest.LogCaptureFixture, *, is_copy_first: bool
) -> None:
    before, copy = MlflowFolder(own).known_id(), copied(own, name)
    if not is_copy_first:
        assert id_of(own) == before

    assert id_of(copy) != before
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{copy.root} is a copy of {own.root}: MLflow gets all of it under a new id")
    assert id_of(copy) == MlflowFolder(copy).known_id() != id_of(own) == before
    assert len(caplog.records) == 1
    assert MlflowFolder(own).load_state(SERVER) == known_state(own)
    assert MlflowFolder(copy).load_state(SERVER) == UploadState()


def test_two_commands_that_begin_at_once_give_a_copy_one_id(own: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    before, copy, looked = MlflowFolder(own).known_id(), copied(own, "own2"), original_of

    def slowly(study: StudyPaths, tracking_uri: str) -> Path | None:
        found = looked(study, tracking_uri)
        time.sleep(0.1)
        return found

    monkeypatch.setattr("automl.tracking.mlflow.folder.original_of", slowly)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(id_of, (copy, copy))

    assert one == other == MlflowFolder(copy).known_id() != before


def test_before_anything_is_sent_a_copy_has_no_run_and_no_page(own: StudyPaths) -> None:
    copy = copied(own, "own2")
    files = {file: file.stat().st_mtime_ns for file in copy.root.rglob("*")}

    document = record_document(copy.root)
    url = comparison_url("http://here", copy, SERVER)

    assert (document["run_id"], document["missing"]) == (None, ["everything: not sent yet"])
    assert url == "http://here/"
    assert not MlflowFolder(copy).is_complete(SERVER)
    assert {file: file.stat().st_mtime_ns for file in copy.root.rglob("*")} == files
    assert record_document(own.root)["run_id"] == "abc"


def test_no_run_of_the_original_is_named_after_a_copy_has_its_id(own: StudyPaths) -> None:
    copy = copied(own, "own2")

    id_of(copy)

    record = read_record(copy.root)
    assert record is not None
    assert (record.run_id, record_document(copy.root)["run_id"]) == (None, None)


def test_a_copy_that_cannot_be_written_is_read_as_one(own: StudyPaths) -> None:
    copy = copied(own, "own2")
    copy.mlflow.chmod(0o500)
    try:
        assert record_document(copy.root)["run_id"] is None
        if os.geteuid() != 0:
            with pytest.raises(OSError, match="denied"):
                id_of(copy)
        else:
            assert MlflowFolder(copy).load_state(SERVER) == UploadState()
    finally:
        copy.mlflow.chmod(0o700)


@pytest.mark.parametrize("name", ["other", "../elsewhere", "../new place % é/own"])
def test_a_study_that_was_moved_keeps_its_id_and_what_was_sent(own: StudyPaths, name: str) -> None:
    before = id_of(own)
    (own.root.parent / name).parent.mkdir(exist_ok=True)

    new = moved(own, name)

    assert MlflowFolder(new).load_state(SERVER).run_ids == known_state(new).run_ids
    assert id_of(new) == before


def test_another_study_may_lie_where_a_moved_one_was(own: StudyPaths) -> None:
    before, new = id_of(own), moved(own, "kept")
    other = append(StudyPaths(own.root), study_started())
    assert id_of(other) != before

    assert id_of(new) == before
    assert id_of(copied(new, "again")) != before


def test_a_link_to_where_the_study_lies_now_is_no_copy(own: StudyPaths) -> None:
    before, new = id_of(own), moved(own, "new")
    own.root.symlink_to(new.root)

    assert id_of(new) == id_of(own) == before
    assert id_of(copied(new, "own2")) != before


def test_copies_of_copies_all_have_ids_of_their_own(own: StudyPaths) -> None:
    second = copied(own, "own2")
    third = copied(second, "own3")
    ids = {id_of(study) for study in (third, own, second)}
    fourth = copied(second, "own4")

    assert len({*ids, id_of(fourth)}) == 4


@pytest.mark.parametrize("first", [0, 1])
def test_of_copies_whose_original_is_deleted_only_the_oldest_goes_on_in_its_runs(own: StudyPaths, first: int) -> None:
    before = id_of(own)
    copies = [copied(own, "own3"), copied(own, "own2")]
    shutil.rmtree(own.root)

    found = {study.root.name: id_of(study) for study in (copies[first], copies[1 - first])}

    assert {name: digits == before for name, digits in found.items()} == {"own3": True, "own2": False}


def test_a_copy_in_the_same_folder_is_known_after_the_original_was_renamed(own: StudyPaths) -> None:
    before, original = id_of(own), moved(own, "final")
    copy = copied(original, "experiment")

    assert id_of(copy) != before
    assert id_of(original) == before


@pytest.mark.parametrize("is_copy_first", [True, False])
def test_a_copy_of_a_study_of_a_version_before_is_known_in_the_same_folder(
    own: StudyPaths, *, is_copy_first: bool
) -> None:
    without_home(own)
    before, copy = MlflowFolder(own).known_id(), copied(own, "a copy")

    for study in (copy, own) if is_copy_first else (own, copy):
        assert (id_of(study) == before) == (study is own)
    assert id_of(copied(own, "../elsewhere")) != before


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_results_folder_that_was_copied_with_its_store_goes_on_in_that_store_alone(
    own: StudyPaths, *, is_moved: bool
) -> None:
    before, inside = id_of(own), copied(own, "own2")
    results = own.root.parent
    new = results.with_name("new")
    results.rename(new) if is_moved else shutil.copytree(results, new)
    store = default_tracking_uri(new)
    study, other = StudyPaths(new / "own"), StudyPaths(new / inside.root.name)

    assert MlflowFolder(study).load_state(store).run_ids == known_state(study).run_ids
    assert id_of(study, store) == before
    assert id_of(other, store) != before
    assert (id_of(study, SERVER) == before) == is_moved


def test_an_id_that_was_copied_from_another_study_is_not_used(own: StudyPaths) -> None:
    other = append(StudyPaths(own.root.with_name("other")), study_started())
    id_of(other)
    shutil.copy(own.mlflow / "study_id", other.mlflow / "study_id")

    assert id_of(other) != id_of(own)


@pytest.mark.parametrize("linked", ["tracking/mlflow/study_id", "tracking/mlflow", "tracking"])
def test_a_link_to_the_id_of_another_study_is_refused_and_nothing_is_written_there(
    own: StudyPaths, linked: str
) -> None:
    other = append(StudyPaths(own.root.with_name("other")), study_started())
    link = other.root / linked
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(own.root / linked)
    before = (own.mlflow / "study_id").read_bytes()

    for action in (lambda: MlflowFolder(other).check(), lambda: id_of(other)):
        with pytest.raises(ConfigurationError) as caught:
            action()
        (problem,) = caught.value.problems
        assert problem.where == str(other.mlflow / "study_id")
        assert f"a link to {own.mlflow / 'study_id'}, which is not followed" in problem.found

    assert (own.mlflow / "study_id").read_bytes() == before


def test_a_directory_in_the_file_that_was_changed_is_no_id(own: StudyPaths) -> None:
    file = own.mlflow / "study_id"
    file.write_text(file.read_text(encoding="utf-8").replace("own", "one"), encoding="utf-8")

    with pytest.raises(ConfigurationError, match="not what was written"):
        id_of(own)


@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
def test_runs_of_the_original_stay_as_they_are_when_its_copy_is_sent(tmp_path: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    uri = default_tracking_uri(tmp_path)
    own = append(StudyPaths(tmp_path / "own"), study_started(), trial_started(0), measured(0, 0, {"val/d1": 0.5}))
    sync(own, uri, "demo", timeout_s=120)
    client = MlflowClient(tracking_uri=uri)
    first = {run.info.run_id: run.to_dictionary() for run in client.search_runs(["1"])}
    copy = append(copied(own, "own2"), measured(0, 0, {"val/d1": 0.25}))

    sync(copy, uri, "demo", timeout_s=120)

    after = {run.info.run_id: run.to_dictionary() for run in client.search_runs(["1"])}
    assert {run: after[run] for run in first} == first
    added = [run for run in client.search_runs(["1"]) if run.info.run_id not in first]
    assert sorted(run.data.tags["automl.key"].partition("/")[0] == id_of(copy, uri) for run in added) == [True, True]
    assert MlflowFolder(copy).is_complete(uri)
