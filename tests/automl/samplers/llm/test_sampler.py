"""What the prompt says, which answers are taken, and that a wrong one is never replaced by a draw."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import ConfigurationError, LaunchError
from automl.samplers.llm.sampler import check_answer
from automl.samplers.registry import check_sampler, make_searcher
from automl.study.causes import OriginKind
from automl.study.trial import TrialState
from automl.testing.recorded_searcher import RecordedSearcher
from automl.testing.samplers import play
from automl.testing.studies import MIXED, plan_of
from tests.automl.samplers.fake_endpoint import KEY, FakeEndpoint, draw_unseen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = {
    "lr": 0.01,
    "batch": 16,
    "crop": 56,
    "drop": 0.2,
    "width": 32,
    "optimizer": "sgd",
    "momentum": 0.5,
    "nesterov": True,
    "warmup": 3,
}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpoint]:
    with FakeEndpoint(monkeypatch) as endpoint:
        yield endpoint


def prompts(fake: FakeEndpoint) -> list[dict[str, Any]]:
    return [json.loads(document["messages"][1]["content"]) for _, document in fake.requests]


def test_the_model_sees_the_space_the_notes_and_every_outcome(fake: FakeEndpoint, tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").write_text("Small learning rates work best.", encoding="utf-8")
    plan = plan_of("llm")
    plan = replace(plan, skill=replace(plan.skill, root=tmp_path))
    fake.answer = lambda prompt: draw_unseen(MIXED, prompt, 1)

    play(RecordedSearcher(plan, tmp_path / "record"), 4, (TrialState.COMPLETED, TrialState.DIVERGED))

    last = prompts(fake)[-1]
    assert last["notes"] == "Small learning rates work best."
    assert [p["path"] for p in last["parameters"]] == list(MIXED.paths)
    assert last["parameters"][6]["acts_only_while"] == "optimizer in {sgd}"
    assert last["relations"] == ["warmup < batch"]
    assert [trial["state"] for trial in last["trials"]] == ["COMPLETED", "DIVERGED", "COMPLETED"]
    assert "values" not in last["trials"][1]
    assert last["trials"][2]["curve"] == [[0, pytest.approx(last["trials"][2]["values"]["accuracy"] - 0.1)]]


def test_no_file_outside_the_skill_is_sent_to_the_model(fake: FakeEndpoint, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password", encoding="utf-8")
    skill = tmp_path / "skill"
    (skill / "references").mkdir(parents=True)
    (skill / "SKILL.md").symlink_to(tmp_path / "secret")
    (skill / "references/notes.md").symlink_to(tmp_path / "secret")
    plan = plan_of("llm")
    plan = replace(plan, skill=replace(plan.skill, root=skill))
    fake.answer = lambda prompt: draw_unseen(MIXED, prompt, 1)

    play(RecordedSearcher(plan, tmp_path / "record"), 2, (TrialState.COMPLETED,))

    assert {prompt["notes"] for prompt in prompts(fake)} == {""}


def test_nobody_waits_for_the_model_who_asks_whether_it_is_ready(fake: FakeEndpoint, tmp_path: Path) -> None:
    may_answer = threading.Event()

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        may_answer.wait(20)
        return GOOD

    fake.answer = answer
    searcher = RecordedSearcher(plan_of("llm"), tmp_path / "record")
    assert searcher.is_ready()  # the template
    template = searcher.ask()
    assert template is not None

    assert not searcher.is_ready()
    searcher.observe(template.number, 0, 0.5)  # the searcher's lock is free
    assert not searcher.is_ready()
    may_answer.set()
    deadline_s = time.monotonic() + 20
    while not searcher.is_ready() and time.monotonic() < deadline_s:
        time.sleep(0.01)

    proposal = searcher.ask()
    assert proposal is not None
    assert proposal.assignment == GOOD
    assert len(fake.requests) == 1


def test_an_error_in_the_background_is_raised_where_the_proposal_is_taken(fake: FakeEndpoint, tmp_path: Path) -> None:
    searcher = RecordedSearcher(replace(plan_of("auto"), options={"llm_starts": 1}), tmp_path / "record")
    searcher.ask()
    fake.answer = lambda _: "nothing"

    assert not searcher.is_ready()
    with pytest.raises(LaunchError, match="4 answers that cannot be tried"):
        searcher.ask()


def test_the_model_gets_what_is_wrong_and_may_answer_again(fake: FakeEndpoint, tmp_path: Path) -> None:
    answers: list[dict[str, Any] | str] = [
        "no object",
        {**GOOD, "lr": 7.0},
        {**GOOD, "momentum": 0.5, "optimizer": "adam"},
        GOOD,
    ]
    fake.answer = lambda _: answers.pop(0)
    searcher = RecordedSearcher(plan_of("llm"), tmp_path / "record")
    searcher.ask()

    proposal = searcher.ask()

    assert proposal is not None
    assert (proposal.assignment, proposal.origin.kind) == (GOOD, OriginKind.LLM)
    corrections = [m["content"] for m in fake.requests[-1][1]["messages"] if m["role"] == "user"][1:]
    assert "no JSON object" in corrections[0]
    assert "lr cannot be 7.0" in corrections[1]
    assert "momentum does not act here" in corrections[2]


@pytest.mark.parametrize("wrong", [{**GOOD, "lr": 7.0}, {"lr": 0.1}, {**GOOD, "extra": 1}, "I cannot help with that."])
def test_answers_that_stay_wrong_end_the_study_and_nothing_is_drawn(
    fake: FakeEndpoint, tmp_path: Path, wrong: dict[str, Any] | str
) -> None:
    fake.answer = lambda _: wrong
    searcher = RecordedSearcher(plan_of("llm"), tmp_path / "record")
    searcher.ask()

    with pytest.raises(LaunchError, match="4 answers that cannot be tried; nothing was drawn"):
        searcher.ask()

    assert len(fake.requests) == 4
    assert len(searcher.history.observations) == 1
    assert KEY.encode() not in (tmp_path / "record").read_bytes()


def test_an_assignment_that_was_tried_is_not_taken_and_not_replaced(fake: FakeEndpoint, tmp_path: Path) -> None:
    fake.answer = lambda _: GOOD
    searcher = RecordedSearcher(plan_of("llm"), tmp_path / "record")
    searcher.ask()
    searcher.ask()

    with pytest.raises(LaunchError, match="it was tried before"):
        searcher.ask()


def test_numbers_are_read_as_the_parameter_writes_them_and_words_around_the_object_are_passed_over() -> None:
    answer = f"```json\n{json.dumps({'assignment': {**GOOD, 'batch': 16.0, 'momentum': 0}})}\n``` Good luck!"

    assignment, problems = check_answer(answer, MIXED, [])

    assert problems == ()
    assert repr(assignment["batch"]) == "16"
    assert repr(assignment["momentum"]) == "0.0"


def test_the_default_sampler_can_begin_with_the_models_proposals(fake: FakeEndpoint, tmp_path: Path) -> None:
    fake.answer = lambda prompt: draw_unseen(MIXED, prompt, 1)
    plan = replace(plan_of("auto"), options={"llm_starts": 2})

    origins = [str(p.origin) for p in play(RecordedSearcher(plan, tmp_path / "record"), 5, (TrialState.COMPLETED,))]

    assert origins == ["template", "llm", "llm", "sobol", "sobol"]


def test_a_resumed_study_asks_the_model_for_no_more_first_trials_than_an_uninterrupted_one(
    fake: FakeEndpoint, tmp_path: Path
) -> None:
    fake.answer = lambda prompt: draw_unseen(MIXED, prompt, 1)
    plan = replace(plan_of("auto"), options={"llm_starts": 2})
    whole = play(RecordedSearcher(plan, tmp_path / "whole.log"), 8, (TrialState.COMPLETED,))

    parts = play(RecordedSearcher(plan, tmp_path / "parts.log"), 4, (TrialState.COMPLETED,))
    parts += play(RecordedSearcher(plan, tmp_path / "parts.log"), 4, (TrialState.COMPLETED,))

    assert parts == whole


def test_without_an_endpoint_the_study_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix in ("AUTOML_LLM", "OPENAI"):
        for name in ("BASE_URL", "MODEL", "API_KEY"):
            monkeypatch.delenv(f"{prefix}_{name}", raising=False)

    with pytest.raises(ConfigurationError, match="AUTOML_LLM_BASE_URL"):
        make_searcher(plan_of("llm"))
    assert [p.where for p in check_sampler("auto", {"llm_starts": 1})] == ["AUTOML_LLM_BASE_URL", "AUTOML_LLM_MODEL"]
    assert [p.where for p in check_sampler("auto", {"llm_starts": -1})] == ["options.llm_starts"]
    assert check_sampler("auto", {"llm_starts": 0}) == ()
