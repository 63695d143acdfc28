"""What a report reads from a study directory."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from automl import clock
from automl.errors import ConfigurationError
from automl.html_report.figures import parallel_coordinates
from automl.html_report.study_facts import STATE, TRIAL, read_facts
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog, encode
from automl.study.events import RangeGrown, StudySuspended, TrialStarted
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path

GOOD = [0.80, 0.82, 0.84, 0.86, 0.88, 0.90]


def test_every_attempt_is_a_row_with_its_end_state(tmp_path: Path) -> None:
    attempts = read_facts(write_study(tmp_path / "demo").root).attempts

    late = attempts[attempts["trial"] >= 3]
    assert list(zip(late["trial"], late["state"], strict=True)) == [
        (3, "failed"),
        (4, "interrupted"),
        (4, "completed"),
    ]


@pytest.mark.parametrize(("process", "state"), [(5, "running"), (None, "interrupted")])
def test_a_trial_that_never_ended_runs_while_a_process_runs_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: int | None, state: str
) -> None:
    monkeypatch.setattr("automl.storage.final_status.running_process", lambda _: process)
    directory = write_study(tmp_path / "demo")
    started = TrialStarted(trial=4, attempt=3, origin="sobol", assignment={}, directory="trials/0004.3")
    EventLog(directory.events_file).append(started)

    facts = read_facts(directory.root)

    assert facts.attempts["state"].iloc[-1] == state
    assert facts.result.trials[-1].state.lower() == state


def test_an_attempt_that_a_resume_with_a_slow_clock_ended_takes_no_negative_time(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    started = TrialStarted(trial=4, attempt=3, origin="sobol", assignment={}, directory="trials/0004.3")
    with directory.events_file.open("ab") as log:
        log.write(encode(started, clock.now() + timedelta(hours=1)))
        log.write(encode(StudySuspended(reason="killed"), clock.now()))

    attempts = read_facts(directory.root).attempts

    assert ((attempts["end"] - attempts["start"]) >= timedelta()).all()


def test_only_trials_with_a_value_compete(tmp_path: Path) -> None:
    facts = read_facts(write_study(tmp_path / "demo").root)

    assert list(facts.competing[TRIAL]) == [0, 1, 4]
    assert list(facts.frame.loc[facts.frame["val/d1"].isna(), STATE]) == ["diverged", "failed"]


def test_a_value_that_a_diverged_trial_reported_is_not_in_the_frame(tmp_path: Path) -> None:
    reported = replace(RESULTS[2], values={"val/d1": 0.9})

    facts = read_facts(write_study(tmp_path / "demo", (RESULTS[0], RESULTS[1], reported)).root)

    assert facts.frame["val/d1"].isna().tolist() == [False, False, True]


def test_a_label_is_the_shortest_end_that_is_unique(tmp_path: Path) -> None:
    paths = ("train.optim.lr", "train.head.lr", "train.epochs")
    parameters = [{"path": p, "type": "float", "low": 0, "high": 1, "log": False, "choices": None} for p in paths]

    facts = read_facts(write_study(tmp_path / "demo", space={"parameters": parameters}).root)

    assert [p.label for p in facts.parameters] == ["optim.lr", "head.lr", "epochs"]


def test_a_hopeless_value_is_beyond_the_fence(tmp_path: Path) -> None:
    facts = read_facts(write_study(tmp_path / "demo").root)
    values = pd.Series([*GOOD, -12.0])

    limit = facts.fence(values)

    assert limit is not None
    assert 0 < limit < 0.8
    assert facts.clipped(values).iloc[-1] == limit


@pytest.mark.parametrize(
    ("direction", "values"),
    [
        ("maximize", [*GOOD, 12.0]),
        ("minimize", [*GOOD, -12.0]),
        ("minimize", GOOD),
        ("minimize", [1.0, 100.0]),
        ("maximize", [0.5] * 6),
    ],
)
def test_good_ordinary_and_few_values_are_all_shown(tmp_path: Path, direction: str, values: list[float]) -> None:
    objective = {"metric": "val/d1", "direction": direction}

    facts = read_facts(write_study(tmp_path / "demo", objective=objective).root)

    assert facts.fence(pd.Series(values)) is None
    assert list(facts.clipped(pd.Series(values))) == values


def test_a_range_whose_end_has_no_logarithm_is_shown_on_a_linear_scale(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    logarithmic = next(parameter for parameter in read_facts(directory.root).parameters if parameter.log)
    EventLog(directory.events_file).append(RangeGrown(path=logarithmic.path, low=0.0, high=1.0, reason="changed"))

    facts = read_facts(directory.root)

    changed = next(parameter for parameter in facts.parameters if parameter.path == logarithmic.path)
    assert (changed.log, changed.ends) == (False, (0.0, 1.0))
    assert parallel_coordinates(facts) is not None


def test_numbers_that_no_float_holds_are_not_shown(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    document = json.loads(directory.plan_file.read_text(encoding="utf-8"))
    ranged = next(parameter for parameter in document["space"]["parameters"] if parameter["high"] is not None)
    ranged["high"] = 10**400
    write_document(directory.plan_file, document)

    facts = read_facts(directory.root)

    changed = next(parameter for parameter in facts.parameters if parameter.path == ranged["path"])
    assert changed.ends[1] == 0.0
    assert changed.shown(10**400) is None
    assert changed.shown(0.5) == 0.5


def test_a_plan_whose_first_trials_come_from_nowhere_known_is_refused(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    document = json.loads(directory.plan_file.read_text(encoding="utf-8"))
    write_document(directory.plan_file, {**document, "first_origin_data": [{"kind": "-1e400"}]})

    with pytest.raises(ConfigurationError, match=r"plan\.json[^$]*where a first trial comes from: '-1e400'"):
        read_facts(directory.root)
