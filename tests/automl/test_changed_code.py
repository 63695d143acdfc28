"""The files of a user's own program change: a resume is refused, and what changes while a study runs is a notice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from automl.errors import ResumeMismatchError
from automl.executor.code_changes import CodeWatch
from automl.html_report.page import write_report
from automl.request.location import RunLocation
from automl.request.study_request import load_study_request
from automl.resume import resume_study
from automl.run import make_plan
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import write_plan
from automl.study.causes import Origin, OriginKind
from automl.study.evaluation import RecordLocation
from automl.study.events import Noticed, TrialProposed

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan

STUDY = "program: python train.py --lr {lr}\nsearch: {lr: 1e-3..1 log}\nobjective: v maximize\n"
SCRIPT = "import argparse, helper\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"


@pytest.fixture
def planned(tmp_path: Path) -> StudyPlan:
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "helper.py").write_text("K = 1\n", encoding="utf-8")
    return make_plan(load_study_request(str(tmp_path / "study.yaml")), RunLocation(results=tmp_path / "results"))


@pytest.fixture
def study(tmp_path: Path, planned: StudyPlan, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "results/mine"
    root.mkdir(parents=True)
    record = RecordLocation(tracking_uri=f"sqlite:///{tmp_path}/x.db", experiment="example")
    write_plan(StudyPaths(root), planned, load_study_request(str(tmp_path / "study.yaml")), record, root.parent)
    monkeypatch.setattr("automl.resume.run_in", lambda _, __, plan, *___, **____: plan)
    return root


@pytest.mark.parametrize(("name", "is_gone"), [("train.py", False), ("helper.py", False), ("helper.py", True)])
def test_a_study_whose_program_has_changed_is_not_resumed(
    study: Path, tmp_path: Path, name: str, *, is_gone: bool
) -> None:
    with (tmp_path / name).open("a", encoding="utf-8") as stream:
        stream.write("# more\n")
    if is_gone:
        (tmp_path / name).unlink()

    with pytest.raises(ResumeMismatchError, match="made by another program") as caught:
        resume_study(study)

    (problem,) = caught.value.problems
    assert problem.where == str(tmp_path / name)
    assert problem.found == ("no file" if is_gone else "a file that has changed since the study was planned")
    assert "--accept-changed-code" in problem.fix


def test_a_resume_that_accepts_it_knows_what_the_trials_so_far_have_run(
    study: Path, planned: StudyPlan, tmp_path: Path
) -> None:
    (tmp_path / "helper.py").write_text("K = 2\n", encoding="utf-8")

    plan: StudyPlan = resume_study(study, accepts_changed_code=True)  # type: ignore[assignment] # see the fixture

    assert plan.skill.fingerprints == planned.skill.fingerprints
    assert CodeWatch(plan).change().startswith("helper.py has changed: trials from this one on run other code")


def test_another_default_is_another_plan_whatever_is_accepted(study: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT.replace("0.1", "0.2"), encoding="utf-8")

    with pytest.raises(ResumeMismatchError, match="made by another plan"):
        resume_study(study, accepts_changed_code=True)


def test_a_study_of_an_earlier_version_that_recorded_fewer_files_is_resumed(study: Path) -> None:
    document = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    del document["skill"]["fingerprints"]["helper.py"]
    write_document(study / "plan.json", {**document, "fingerprint": "of that version"})

    plan: StudyPlan = resume_study(study)  # type: ignore[assignment] # see the fixture

    assert CodeWatch(plan).change() == ""


def test_each_change_is_said_once(planned: StudyPlan, tmp_path: Path) -> None:
    watch = CodeWatch(planned)
    before = watch.change()
    (tmp_path / "helper.py").touch()
    touched = watch.change()
    (tmp_path / "helper.py").write_text("K = 22\n", encoding="utf-8")
    (tmp_path / "train.py").unlink()

    assert [before, touched] == ["", ""]
    assert watch.change().startswith("train.py, helper.py have changed: trials from this one on run other code")
    assert watch.change() == ""


def test_compare_and_report_show_what_was_noticed_and_whose_code_differs(
    study: Path, planned: StudyPlan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = EventLog(StudyPaths(study).events_file)
    log.append(TrialProposed(trial=0, assignment={"lr": 0.1}, origin=Origin(OriginKind.TEMPLATE)))
    log.append(Noticed(trial=0, text="helper.py has changed <b>"))
    log.close()
    other = replace(planned, skill=replace(planned.skill, fingerprints={"helper.py": "0123456789abcdef"}))
    record = RecordLocation(tracking_uri=f"sqlite:///{tmp_path}/x.db", experiment="example")
    (tmp_path / "results/other").mkdir()
    request = load_study_request(str(tmp_path / "study.yaml"))
    write_plan(StudyPaths(tmp_path / "results/other"), other, request, record, study.parent)

    run_command_line(["compare", str(study), str(tmp_path / "results/other")])

    shown = capsys.readouterr().out
    assert "notice  mine: trial 0: helper.py has changed <b>" in shown
    assert ["code", "helper.py", planned.skill.fingerprints["helper.py"][:12], "0123456789ab"] in [
        line.split() for line in shown.splitlines()
    ]
    page = write_report(study).read_text(encoding="utf-8")
    assert "<h2>Notices</h2>" in page
    assert "trial 0: helper.py has changed &lt;b&gt;" in page
