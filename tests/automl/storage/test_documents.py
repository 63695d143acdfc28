"""Documents: round trips, damaged files, and never half a file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from automl.errors import ConfigurationError
from automl.handoff.actions import ActionResult
from automl.handoff.best import StudyBest
from automl.request.study_request import StudyRequest
from automl.storage.documents import from_json, has_check, read_document, read_lines, to_json, to_line, write_document
from automl.storage.plan_document import StoredPlan, describe_plan
from automl.study.evaluation import ActionStatus, Delta, Evaluation, RecordLocation
from automl.study.events import ActionEnded
from automl.study.objectives import Direction
from automl.study.trial import FailureKind, TrialResult, TrialState
from automl.trial.attempts import Start
from tests.automl.study.examples import make_plan

RESULT = TrialResult(
    number=7,
    state=TrialState.FAILED,
    failure=FailureKind.OUT_OF_MEMORY,
    reason="out of GPU memory",
    assignment={"train.optim.lr": 1e-4, "train.optim.lr_scheduler": "LambdaLR", "flag": True, "depth": 3},
    values={"val/d1": 0.5},
    best_epoch=2,
    epochs=3,
    curve=((0, 0.1), (2, 0.5)),
    elapsed_s=12.5,
    directory="trials/0007",
    checkpoint="trials/0007/train/model.pth",
    sha256="ab",
    attempt=2,
    exit_status=1,
    log_tail=("a", "b"),
    gpus=("0", "GPU-5ae3"),
)
START = Start(
    attempt=3,
    checkpoint=Path("trials/0007.2/epoch_1.pth"),
    first_epoch=2,
    earlier=(Path("trials/0007"), Path("trials/0007.2")),
    parent=4,
    changes={"train.batch_size": 8},
    is_alone=True,
    remark="batch_size 16 -> 8",
    earlier_s=12.25,
)
CHAMPION = StudyBest(
    trial=4,
    epoch=None,
    metric_name="val/d1",
    direction=Direction.MAXIMIZE,
    value=0.5,
    values=MappingProxyType({"val/d1": 0.5}),
    assignment={"train.optim.lr": 1e-4},
    checkpoint="best/model.pth",
    sha256="ab",
    source="trials/0004/model.pth",
)
ACTION = ActionResult(
    key="evaluate-1",
    action="evaluate",
    status=ActionStatus.MEASURED,
    trial=4,
    epoch=1,
    checkpoint="best/model.pth",
    values={"d1": 0.5},
    files=("actions/evaluate-1/depth.png",),
    elapsed_s=2.5,
    directory="actions/evaluate-1",
)


EVALUATION = Evaluation(
    status=ActionStatus.MEASURED,
    metric="val/d1",
    direction=Direction.MINIMIZE,
    data="/data/test.txt",
    value=0.5,
    checkpoint="best/model.pth",
    sha256="ab",
    action="evaluate-1",
    elapsed_s=1.5,
    deltas={"trial": Delta(reference=0.25, difference=0.25, is_better=False)},
    is_reproduced=False,
)
RECORD = RecordLocation(tracking_uri="http://mlflow.example", experiment="demo", run_id="abc")
REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=3, options={"grace_epochs": 2})
PLAN = StoredPlan(**describe_plan(make_plan(REQUEST)), request=to_json(REQUEST.document()), mlflow=RECORD)


@pytest.mark.parametrize(
    "document",
    [RESULT, START, CHAMPION, ACTION, EVALUATION, RECORD, PLAN],
    ids=lambda document: type(document).__name__,
)
def test_a_document_comes_back_as_it_was_written(document: object, tmp_path: Path) -> None:
    file = tmp_path / "document.json"

    write_document(file, document)

    assert read_document(file, type(document)) == document
    assert from_json(to_json(document), type(document)) == document


def test_a_mapping_of_documents_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "document.json"

    write_document(file, {"champion": EVALUATION}, dict[str, Evaluation])

    assert read_document(file, dict[str, Evaluation]) == {"champion": EVALUATION}


def test_a_number_that_is_not_finite_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_document(file, {"x": 1})

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_document(file, {"x": float("nan")})

    assert read_document(file, dict[str, int]) == {"x": 1}
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("text", ["", '{"number": 1', "[]", '{"number": "x"}', '{"state": "SLEEPING"}'])
def test_a_damaged_document_is_named_and_not_passed_over(text: str, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"result\.json") as caught:
        read_document(file, TrialResult)

    (problem,) = caught.value.problems
    assert problem.found.startswith("a file that cannot be read (")
    assert "\n" not in problem.found


def test_every_changed_byte_of_a_document_is_noticed_or_means_the_same(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    write_document(file, RESULT)
    content = file.read_bytes()

    assert {changed(file, content, at, bit) for at in range(len(content)) for bit in (0x01, 0x10)} <= {
        "the same",
        str(file),
    }
    assert changed(file, content, content.index(b"0.5"), 0x01) == str(file)


def changed(file: Path, content: bytes, at: int, bit: int) -> str:
    """Change one byte of a result; return which file an error names, or whether it still says the same."""
    file.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
    try:
        return "the same" if read_document(file, TrialResult) == RESULT else "another"
    except ConfigurationError as error:
        return error.problems[0].where


def test_every_cut_out_of_a_document_is_noticed_or_means_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_document(file, {"x": 1, "y": 2})
    content = file.read_bytes()
    found: set[str] = set()

    for start in range(len(content)):
        for end in range(start + 1, len(content) + 1):
            file.write_bytes(content[:start] + content[end:])
            try:
                found.add(str(read_document(file, dict[str, int])))
            except ConfigurationError as error:
                found.add(error.problems[0].where)

    assert found == {"{'x': 1, 'y': 2}", str(file)}


def test_a_line_without_a_check_is_refused_behind_one_that_has_it(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n' + to_line({"a": 2}) + '{"a": 3}\n', encoding="utf-8")

    lines = read_lines(file)

    assert [next(lines)[0], next(lines)[0]] == [{"a": 1}, {"a": 2}]
    with pytest.raises(ConfigurationError, match="its check is gone"):
        next(lines)


def test_a_document_of_an_earlier_version_has_no_check_and_is_read(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(json.dumps(to_json(RESULT)), encoding="utf-8")

    assert read_document(file, TrialResult) == RESULT
    assert not has_check(file)
    write_document(file, RESULT)
    assert has_check(file)


def test_a_document_that_is_not_there_is_distinguished_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_document(tmp_path / "result.json", TrialResult)


def test_unknown_keys_are_ignored_and_missing_ones_get_their_defaults() -> None:
    @dataclass(frozen=True)
    class Document:
        a: int
        b: int = 2

    assert from_json({"a": 1, "from": "another version"}, Document) == Document(a=1)


def test_a_number_that_is_not_finite_is_refused_also_where_any_value_may_stand(tmp_path: Path) -> None:
    event = ActionEnded(key="evaluate-1", result={"values": {"deep": [float("nan")]}})

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_document(tmp_path / "a.json", event)


@pytest.mark.parametrize("kind", ["pipe", "link", "huge"])
def test_what_a_trainer_put_in_place_of_a_document_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    file, outside = tmp_path / "trials/0000/result.json", tmp_path / "outside.json"
    file.parent.mkdir(parents=True)
    write_document(outside, RESULT)
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "link":
            file.symlink_to(outside)
        case _:
            file.touch()
            os.truncate(file, 1 << 40)

    with pytest.raises(ConfigurationError, match=r"result\.json"):
        read_document(file, type(RESULT))


def test_a_document_of_ours_may_be_a_link(tmp_path: Path) -> None:
    write_document(tmp_path / "elsewhere.json", RESULT)
    (tmp_path / "study").mkdir()
    (tmp_path / "study/plan.json").symlink_to(tmp_path / "elsewhere.json")

    assert read_document(tmp_path / "study/plan.json", type(RESULT)) == RESULT
