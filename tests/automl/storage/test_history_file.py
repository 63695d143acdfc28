"""What a file of histories says, what it never says, and that a changed one is refused."""

from __future__ import annotations

import dataclasses
import getpass
import json
import socket
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.history_file import read_histories, shared_history, write_histories
from automl.storage.paths import StudyPaths
from automl.storage.study_history import read_history
from automl.study.trial import TrialResult, TrialState
from tests.automl.storage.recorded import write_result
from tests.automl.test_transfer import write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_a_shared_history_has_the_observations_to_the_bit_and_nothing_of_the_machine(tmp_path: Path) -> None:
    write_study(tmp_path / "someones", "room", seed=1, evaluate_with="python /home/someone/score.py --key abc")
    file = tmp_path / "room.json"

    write_histories(file, [shared_history(tmp_path / "someones" / "room")])

    (found,), whole = read_histories(file), read_history(tmp_path / "someones" / "room")
    assert found.trials == whole.trials
    assert len(found.trials) == 8
    assert (found.name, found.fingerprint, found.evaluated_with) == ("room", whole.fingerprint, whole.evaluated_with)
    assert [p.path for p in found.parameters] == [p.path for p in whole.parameters]
    assert found.fixed.items() <= whole.fixed.items()
    text = file.read_text(encoding="utf-8")
    assert not any(word in text for word in ("someone", str(tmp_path), "score.py"))


def test_numbers_are_shared_and_of_texts_only_the_options_of_the_schema(tmp_path: Path) -> None:
    write_study(tmp_path, "room", seed=1)

    fixed, whole = shared_history(tmp_path / "room").fixed, read_history(tmp_path / "room").fixed

    texts = {path for path, value in whole.items() if isinstance(value, str)}
    assert {path for path, value in whole.items() if isinstance(value, int | float)} <= fixed.keys()
    assert texts - fixed.keys()
    assert not any("dir" in path or "path" in path for path in fixed.keys() & texts)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("of /home/someone/data", "a path"),
        ("sk-abcdefghijklmnop", "what looks like a secret"),
        ("token=abc", "what looks like a secret"),
        ("run-on-node-7", "the name of this machine"),
    ],
)
def test_a_path_a_secret_and_a_name_of_this_machine_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    write_study(tmp_path, "room", seed=1)
    monkeypatch.setattr(socket, "gethostname", lambda: "node-7.cluster")

    with pytest.raises(ConfigurationError) as caught:
        shared_history(tmp_path / "room", name)

    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'room'}: name"
    assert problem.found.startswith(what)
    assert problem.fix == "give another one with --name"


def test_the_name_of_the_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path, "ada-room", seed=1)
    monkeypatch.setattr(getpass, "getuser", lambda: "Ada")

    with pytest.raises(ConfigurationError, match="the name of the user"):
        shared_history(tmp_path / "ada-room")
    assert shared_history(tmp_path / "ada-room", "adaptive").name == "adaptive"


def test_a_study_that_goes_on_or_has_no_values_is_refused(tmp_path: Path) -> None:
    write_study(tmp_path, "room", seed=1, trials=1)
    directory = StudyPaths(tmp_path / "room")
    result = read_history(directory.root)
    assert [trial.state for trial in result.trials] == [TrialState.DIVERGED]
    write_result(directory, TrialResult(number=1, state=TrialState.RUNNING, assignment={}, directory="trials/0001"))

    with pytest.raises(ConfigurationError) as caught:
        shared_history(directory.root)

    assert [p.found for p in caught.value.problems] == ["trials that have not ended", "no trial with a value"]


def test_a_changed_a_torn_and_another_file_are_refused_with_the_reason(tmp_path: Path) -> None:
    write_study(tmp_path, "room", seed=1)
    file = tmp_path / "room.json"
    write_histories(file, [shared_history(tmp_path / "room")])
    text = file.read_text(encoding="utf-8")
    document = json.loads(text)
    del document["has_check"], document["check"]

    for content, reason in {
        text.replace("0.99", "0.98", 1): "not what was written",
        text[: len(text) // 2]: "cannot be read",
        json.dumps({"a": 1}): "no history",
        json.dumps(document): "no check",
        "": "cannot be read",
    }.items():
        file.write_text(content, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=reason):
            read_histories(file)


def test_what_does_not_fit_the_schema_is_refused_with_every_problem(tmp_path: Path) -> None:
    write_study(tmp_path, "room", seed=1)
    history = shared_history(tmp_path / "room")
    wrong = dataclasses.replace(history, name="", trials=(dataclasses.replace(history.trials[0], elapsed_s=-1.0),))
    write_histories(tmp_path / "room.json", [wrong])

    with pytest.raises(ConfigurationError) as caught:
        read_histories(tmp_path / "room.json")

    assert len(caught.value.problems) == 2
