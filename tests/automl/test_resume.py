"""Refusals of a resume; real resumes are in tests/acceptance."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError, LaunchError, NothingToRunError, ResumeMismatchError
from automl.request.location import RunLocation
from automl.request.study_request import Prepare, StudyRequest
from automl.resume import resume_study
from automl.run import make_plan
from automl.space.document import describe_space
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog
from automl.storage.own_documents import write_own
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import plan_document, write_plan
from automl.study.ends import EndKind, EndReason
from automl.study.evaluation import RecordLocation
from automl.study.events import StudyEnded
from automl.study.launch_plan import LauncherKind
from automl.study.trial import TrialResult, TrialState
from tests.automl.launch.fake_engine import install_engine, install_silent_engine
from tests.automl.storage.recorded import write_result
from tests.automl.storage.test_documents import CHAMPION

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan

REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=1)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    plan = make_plan(REQUEST, RunLocation(results=tmp_path))
    root = tmp_path / "example"
    root.mkdir()
    uri = f"sqlite:///{tmp_path}/x.db"
    write_plan(StudyPaths(root), plan, REQUEST, RecordLocation(tracking_uri=uri, experiment="example"), tmp_path)
    return root


def test_a_changed_plan_is_refused_and_the_difference_is_shown(study: Path) -> None:
    document = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    document["spec"]["train"]["num_epochs"] = 99
    document["fingerprint"] = "of another spec"
    write_document(study / "plan.json", document)

    with pytest.raises(ResumeMismatchError) as caught:
        resume_study(study)

    assert caught.value.exit_status == 6
    assert any("spec" in problem.where for problem in caught.value.problems)


def test_texts_of_another_version_about_the_same_space_are_no_difference(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = leave_missing(monkeypatch, [])
    document = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    document["fingerprint"] = "of an earlier version"
    for parameter in document["space"]["parameters"]:
        parameter |= {"reason": "written otherwise", "cost": "said otherwise"}
    document["space"]["left_out"] = []
    write_document(study / "plan.json", document)

    resume_study(study)

    assert resumed == [False]


def test_a_study_goes_on_in_the_ranges_it_began_with_whatever_this_version_would_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = REQUEST.with_settings(policy="on")
    plan = make_plan(request, RunLocation(results=tmp_path))
    first, *others, last = plan.space.parameters
    then = dataclasses.replace(first, low=5, high=7, log=False, reason="of the version before")
    gone = dataclasses.replace(last, path="train.optim.final_fraction")
    space = dataclasses.replace(plan.space, parameters=(then, *others, gone))
    plan = dataclasses.replace(plan, space=space, fingerprint="x")
    paths = StudyPaths(tmp_path / "example")
    paths.root.mkdir()
    write_plan(paths, plan, request, RecordLocation(tracking_uri="sqlite:///x.db", experiment=""), tmp_path)
    seen: list[StudyPlan] = []
    monkeypatch.setattr("automl.resume.run_in", lambda *words, **_: seen.append(words[2]))

    resume_study(paths.root)

    assert describe_space(seen[0].space, plan.skill) == describe_space(plan.space, plan.skill)
    document = json.loads(paths.plan_file.read_text(encoding="utf-8"))
    document["space"]["parameters"][0]["condition"] = "no.such = 1"
    write_document(paths.plan_file, document)
    with pytest.raises(ResumeMismatchError, match="another plan"):
        resume_study(paths.root)


def end_study(study: Path, values: dict[str, float]) -> None:
    done = TrialResult(
        number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000", values=values, checkpoint="a.pth"
    )
    write_result(StudyPaths(study), done)
    end = StudyEnded(trials=1, best_trial=None, best_value=None, reason="all trials have ended (1)")
    EventLog(StudyPaths(study).events_file).append(end)


def leave_missing(monkeypatch: pytest.MonkeyPatch, *parts: list[str]) -> list[bool]:
    """Let these parts be missing one time after the other; return what each resume says of its trials."""
    resumed: list[bool] = []
    left = iter(parts)
    monkeypatch.setattr("automl.resume.missing_parts", lambda *_: next(left))
    monkeypatch.setattr("automl.resume.run_in", lambda *_, is_over=False, **__: resumed.append(is_over))
    return resumed


def test_a_study_that_lacks_nothing_has_nothing_to_run(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed = leave_missing(monkeypatch, [])
    end_study(study, {})

    with pytest.raises(NothingToRunError, match="--trials"):
        resume_study(study)

    assert resumed == []


def test_a_resume_does_what_a_study_that_has_ended_lacks_and_says_so(
    study: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    resumed = leave_missing(monkeypatch, ["best checkpoint", "report", "record"], ["record"])
    end_study(study, {"val/r2": 0.5})

    resume_study(study)

    assert resumed == [True]
    assert "done now: best checkpoint, report; missing: record" in caplog.text


def test_a_resume_that_can_do_nothing_of_what_is_missing_is_an_error(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_missing(monkeypatch, ["record"], ["record"])
    end_study(study, {"val/r2": 0.5})

    with pytest.raises(LaunchError, match="record"):
        resume_study(study)


def test_trials_of_another_study_in_place_of_its_own_are_refused(study: Path) -> None:
    make_older(study / "plan.json")
    ended = TrialResult(number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000", elapsed_s=1.0)
    other = StudyPaths(study.with_name("other"))
    write_result(StudyPaths(study), ended)
    write_result(other, dataclasses.replace(ended, elapsed_s=2.0))
    (study / "trials").rename(study / "aside")
    (study / "trials").symlink_to(other.trials)
    before = {file: file.read_bytes() for file in study.parent.rglob("*") if file.is_file()}

    with pytest.raises(ConfigurationError) as error:
        resume_study(study)

    (problem,) = error.value.problems
    assert problem.where == str(study / "trials/0000/result.json")
    assert problem.found == "the result of a trial of another study"
    assert problem.fix == f"put the folder of its own trials back in the place of {study / 'trials'}"
    assert {file: file.read_bytes() for file in study.parent.rglob("*") if file.is_file()} == before


def test_the_plan_of_another_study_is_refused(study: Path) -> None:
    end_study(study, {"val/r2": 0.5})
    document = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    write_document(study / "plan.json", {**document, "fingerprint": "another"}, dict[str, object])
    before = {file: file.read_bytes() for file in study.rglob("*") if file.is_file()}

    with pytest.raises(ConfigurationError, match=r"the plan of another study \(fingerprint another\)"):
        resume_study(study)

    assert {file: file.read_bytes() for file in study.rglob("*") if file.is_file()} == before


def test_a_study_killed_between_its_last_trial_and_its_end_is_ended_by_a_resume(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = leave_missing(monkeypatch)
    write_result(
        StudyPaths(study), TrialResult(number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000")
    )

    resume_study(study)

    assert resumed == [False]


@pytest.mark.parametrize(("may_go_on", "is_refused"), [(False, True), (True, False)])
def test_a_study_that_ended_for_a_reason_of_its_own_is_not_resumed(
    study: Path, monkeypatch: pytest.MonkeyPatch, *, may_go_on: bool, is_refused: bool
) -> None:
    ended = StudyEnded(trials=1, best_trial=None, best_value=None, reason="the target is reached", may_go_on=may_go_on)
    EventLog(StudyPaths(study).events_file).append(ended)
    resumed = leave_missing(monkeypatch, [])

    if is_refused:
        with pytest.raises(NothingToRunError, match="the target is reached"):
            resume_study(study)
        resume_study(study, trials=2)  # who asks for more gets more
    else:
        resume_study(study)

    assert resumed == [False]


@pytest.mark.parametrize("kind", [EndKind.TIME, EndKind.GPU_HOURS])
def test_more_trials_of_a_study_whose_limit_is_used_up_are_not_stopped_by_it(
    study: Path, resumed: list[tuple[StudyPlan, RunLocation]], caplog: pytest.LogCaptureFixture, kind: EndKind
) -> None:
    request = REQUEST.with_settings(time_s=10.0, gpu_hours=1.0)
    document = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    write_document(study / "plan.json", document | {"request": request.document()})
    end = EndReason(kind=kind, amount=10)
    EventLog(StudyPaths(study).events_file).append(
        StudyEnded(trials=0, best_trial=None, best_value=None, reason=str(end), end=end)
    )

    resume_study(study, trials=7)

    ((plan, _),) = resumed
    limits = {EndKind.TIME: plan.budget.time_s, EndKind.GPU_HOURS: plan.budget.gpu_hours}
    assert plan.budget.trials == 7
    assert limits.pop(kind) is None
    assert None not in limits.values()
    assert "with --trials 7 that limit does not count any more" in caplog.text


def test_a_resume_that_finds_nothing_to_do_says_that_the_study_has_failed(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_missing(monkeypatch, [])
    end_study(study, {})

    with pytest.raises(NothingToRunError, match="have ended without a usable value"):
        resume_study(study)


def test_every_damaged_file_is_named_before_anything_is_written(
    study: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("automl.resume.run_in", lambda *_, **__: pytest.fail("it was started"))
    end_study(study, {"val/r2": 0.5})
    damaged = ("evaluations.json", "record.json", "best.json", "trials/0000/result.json", "tracking/mlflow/study_id")
    for name in damaged:
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).write_text("{torn", encoding="utf-8")
    before = {file: file.read_bytes() for file in study.rglob("*") if file.is_file()}

    with pytest.raises(ConfigurationError) as caught:
        resume_study(study)

    assert {problem.where for problem in caught.value.problems} == {str(study / name) for name in damaged}
    assert {file: file.read_bytes() for file in study.rglob("*") if file.is_file()} == before
    assert "without a checksum" not in caplog.text


def make_older(file: Path) -> None:
    """Let a document be as an earlier version wrote it."""
    document = json.loads(file.read_text(encoding="utf-8"))
    kept = {key: value for key, value in document.items() if key not in {"has_check", "check", "of_study"}}
    file.write_text(json.dumps(kept), encoding="utf-8")


@pytest.mark.parametrize("name", ["plan.json", "trials/0000/result.json", "best.json"])
def test_a_document_without_a_check_is_refused_in_a_study_whose_documents_have_one(study: Path, name: str) -> None:
    end_study(study, {"val/r2": 0.5})
    write_own(StudyPaths(study), study / "best.json", CHAMPION)
    make_older(study / name)

    with pytest.raises(ConfigurationError, match=r"without the token of plan|the log of another study"):
        resume_study(study)


def test_documents_of_an_earlier_version_are_accepted_and_said_to_be_unchecked(
    study: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    leave_missing(monkeypatch, [])
    make_older(study / "plan.json")
    end_study(study, {})
    make_older(study / "trials/0000/result.json")

    with pytest.raises(NothingToRunError):
        resume_study(study)

    assert "plan.json, result.json: written by an earlier version, without a checksum" in caplog.text


def test_a_folder_that_is_no_study_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"plan\.json"):
        resume_study(tmp_path)


@pytest.mark.parametrize("is_old", [False, True])
def test_a_resumed_study_goes_on_with_the_points_it_began_with(
    study: Path, monkeypatch: pytest.MonkeyPatch, *, is_old: bool
) -> None:
    document = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    document["first_trials"].append({"train.lr": 0.3})
    document["first_origins"].append("earlier study x, trial 3 (val/r2 0.9)")
    if is_old:
        del document["first_origin_data"]
    else:
        document["first_origin_data"].append(
            {"kind": "earlier_study", "study": "x", "parent": 3, "detail": "val/r2 0.9"}
        )
    write_document(study / "plan.json", document)
    plans: list[StudyPlan] = []
    monkeypatch.setattr("automl.resume.run_in", lambda *given, **_: plans.append(given[2]))

    resume_study(study, trials=2)

    assert [list(plan.first_trials) for plan in plans] == [document["first_trials"]]
    assert tuple(map(str, plans[0].first_origins)) == tuple(document["first_origins"])
    assert plans[0].first_origins[1].parent == 3


def test_a_resumed_study_keeps_its_launcher_and_refuses_another_image(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(tmp_path / "bin", monkeypatch)
    request = REQUEST.with_settings(image="mine:1")
    plan = make_plan(request, RunLocation(results=tmp_path))
    document = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    document |= {**plan_document(plan), "request": request.document()}
    write_document(study / "plan.json", document)
    seen: list[StudyPlan] = []
    monkeypatch.setattr("automl.resume.run_in", lambda *words, **_: seen.append(words[2]))

    install_silent_engine(tmp_path / "bin", monkeypatch)
    resume_study(study)

    assert (seen[0].launch.launcher, seen[0].launch.image) == (LauncherKind.DOCKER, "mine:1")
    other = request.with_settings(image="mine:2")
    write_document(study / "plan.json", {**document, "request": other.document()})
    with pytest.raises(ResumeMismatchError) as caught:
        resume_study(study)
    assert [problem.where.rpartition(" ")[2] for problem in caught.value.problems] == ["image"]


PREPARED = StudyRequest(
    skill="depth_net_mono",
    name="demo",
    data={split: f"{{prepared}}/{split}.txt" for split in ("train", "val")},
    prepare=Prepare(command=("true",), directory="rooms"),
)


def write_prepared(results: Path, root: Path) -> StudyPlan:
    """Write a study whose data and whose record lie in the results folder."""
    plan = make_plan(PREPARED, RunLocation(results=results))
    root.mkdir(parents=True, exist_ok=True)
    record = RecordLocation(tracking_uri=f"sqlite:///{results}/mlflow.db", experiment="demo")
    write_plan(StudyPaths(root), plan, PREPARED, record, results)
    return plan


def write_absolute(root: Path, results: Path) -> None:
    """Write the plan of a study as version 0.1 did: with absolute paths, and without the results folder."""
    file = root / "plan.json"
    document = json.loads(file.read_text("utf-8").replace("{study}/..", str(results)))
    write_document(file, {key: value for key, value in document.items() if key != "results"})


@pytest.fixture
def resumed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[StudyPlan, RunLocation]]:
    runs: list[tuple[StudyPlan, RunLocation]] = []
    monkeypatch.setattr("automl.resume.run_in", lambda _, request, plan, place, **__: runs.append((plan, place)))  # noqa: ARG005 # its parts
    return runs


def test_a_results_folder_with_prepared_data_can_move(
    tmp_path: Path, resumed: list[tuple[StudyPlan, RunLocation]]
) -> None:
    before = write_prepared(tmp_path / "old", tmp_path / "old" / "demo")
    assert "/old" in str(before.spec.values)
    assert str(tmp_path) not in (tmp_path / "old" / "demo" / "plan.json").read_text("utf-8").replace(
        str(before.skill.root), ""
    )
    (tmp_path / "old").rename(tmp_path / "new")

    resume_study(tmp_path / "new" / "demo")

    ((plan, place),) = resumed
    assert str(plan.spec.values) == str(before.spec.values).replace("/old/", "/new/")
    assert plan.fingerprint == before.fingerprint
    assert place.tracking_uri == f"sqlite:///{tmp_path}/new/mlflow.db"
    assert place.results == tmp_path / "new"


def test_a_study_outside_of_the_results_folder_finds_its_data_again(
    tmp_path: Path, resumed: list[tuple[StudyPlan, RunLocation]]
) -> None:
    before = write_prepared(tmp_path / "results", tmp_path / "elsewhere" / "demo")

    resume_study(tmp_path / "elsewhere" / "demo")

    assert [(plan.spec.values, place.results) for plan, place in resumed] == [
        (before.spec.values, tmp_path / "results")
    ]


@pytest.mark.parametrize(("root", "moved"), [("old/demo", True), ("old/demo", False), ("elsewhere/demo", False)])
def test_a_study_of_version_0_1_with_prepared_data_can_move(
    tmp_path: Path, resumed: list[tuple[StudyPlan, RunLocation]], root: str, *, moved: bool
) -> None:
    before = write_prepared(tmp_path / "old", tmp_path / root)
    write_absolute(tmp_path / root, tmp_path / "old")
    assert f"{tmp_path}/old/data/rooms/train.txt" in (tmp_path / root / "plan.json").read_text("utf-8")
    (tmp_path / "old").mkdir(exist_ok=True)
    (tmp_path / "old" / "mlflow.db").touch()
    results = (tmp_path / "old").rename(tmp_path / "new") if moved else tmp_path / "old"

    resume_study(results / "demo" if moved else tmp_path / root)

    ((plan, place),) = resumed
    assert str(plan.spec.values) == str(before.spec.values).replace(f"{tmp_path}/old/", f"{results}/")
    assert (place.results, place.tracking_uri) == (results, f"sqlite:///{results}/mlflow.db")


def test_data_that_were_exchanged_are_still_a_difference_after_a_move(tmp_path: Path) -> None:
    write_prepared(tmp_path / "old", tmp_path / "old" / "demo")
    (tmp_path / "old").rename(tmp_path / "new")
    file = tmp_path / "new" / "demo" / "plan.json"
    write_document(file, json.loads(file.read_text("utf-8").replace("rooms/val.txt", "rooms/other.txt")))

    with pytest.raises(ResumeMismatchError, match="another plan"):
        resume_study(tmp_path / "new" / "demo")
