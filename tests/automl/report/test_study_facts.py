"""What a report reads from a study directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.report.study_facts import SearchedParameter, read_facts
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_every_attempt_is_an_interval_with_its_end_state(tmp_path: Path) -> None:
    facts = read_facts(write_study(tmp_path / "demo").root)

    assert [(i.trial, i.state) for i in facts.intervals if i.trial >= 3] == [
        (3, "FAILED"),
        (4, "INTERRUPTED"),
        (4, "COMPLETED"),
    ]


def test_a_trial_that_never_ended_is_running(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    kept = [line for line in directory.events_file.read_text(encoding="utf-8").splitlines() if '"trial": 4' not in line]
    directory.events_file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    with directory.events_file.open("a", encoding="utf-8") as stream:
        stream.write('{"event": "trial_started", "trial": 4, "time": "2030-01-01T00:00:00+00:00"}\n')

    facts = read_facts(directory.root)

    assert facts.intervals[-1].state == "RUNNING"


def test_only_trials_with_a_value_compete(tmp_path: Path) -> None:
    facts = read_facts(write_study(tmp_path / "demo").root)

    assert [trial.number for trial in facts.competing] == [0, 1, 4]


def test_a_label_is_the_shortest_end_that_is_unique(tmp_path: Path) -> None:
    paths = ("train.optim.lr", "train.head.lr", "train.epochs")
    parameters = [{"path": p, "type": "float", "low": 0, "high": 1, "log": False, "choices": None} for p in paths]

    facts = read_facts(write_study(tmp_path / "demo", space={"parameters": parameters}).root)

    assert [p.label for p in facts.parameters] == ["optim.lr", "head.lr", "epochs"]


def test_a_choice_is_the_number_of_its_place(tmp_path: Path) -> None:
    choice = SearchedParameter(path="a", label="a", low=None, high=None, is_log=False, choices=("x", "y"))

    assert (choice.number("y"), choice.number("z")) == (1.0, None)
    assert tmp_path.is_dir()
