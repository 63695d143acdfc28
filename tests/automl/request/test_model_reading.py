"""What a language model has read joins the plain reading and never changes it."""

from __future__ import annotations

from typing import Any

import pytest

from automl.architectures.load import load_architecture
from automl.request.model_reading import check_reading, instructions, join_reading
from automl.request.text import ParsedRequest, parse_request

METRICS = load_architecture("depth_net_mono").metrics.directions
GERMAN = "bitte 20 Versuche auf zwei Karten, und nur zwei Stunden"


def answer(*readings: tuple[str, Any, str]) -> dict[str, Any]:
    return {"readings": [{"setting": name, "value": value, "words": words} for name, value, words in readings]}


def check(text: str, document: Any) -> list[str]:  # noqa: ANN401 # what a model answers
    return check_reading(document, text, parse_request(text, metrics=METRICS), METRICS)


def joined(text: str, *readings: tuple[str, Any, str]) -> ParsedRequest:
    document = answer(*readings)
    assert check(text, document) == []
    return join_reading(parse_request(text, metrics=METRICS), {**document, "model": "m"})


def test_a_sentence_in_another_language_is_read_and_quoted() -> None:
    read = joined(GERMAN, ("trials", 20, "20 Versuche"), ("gpus", 2, "zwei Karten"), ("time_s", 7200, "zwei Stunden"))

    assert read.values == {"trials": 20, "gpus": 2, "time_s": 7200}
    assert read.questions == ()
    assert read.phrases["time_s"].meaning == "a time limit of 2 h 00 min (read by m)"


def test_what_it_does_not_quote_stays_a_question() -> None:
    read = joined(GERMAN, ("gpus", 2, "zwei Karten"))

    assert [question.text for question in read.questions] == [
        "bitte 20 Versuche auf zwei Karten",
        "und nur zwei Stunden",
    ]


def test_it_answers_a_question_about_a_search_in_another_language() -> None:
    read = joined("ohne Hyperparametersuche", ("policy", "off", "ohne Hyperparametersuche"))

    assert (read.policy, read.questions) == ("off", ())


@pytest.mark.parametrize("policy", ["on", "off"])
def test_a_search_that_english_words_limit_or_negate_is_decided_by_the_user_alone(policy: str) -> None:
    read = joined("we would rather not tune it", ("policy", policy, "rather not tune it"))

    assert [question.text for question in read.questions] == ["we would rather not tune it"]


def test_one_training_with_trials_is_a_question_as_in_plain_words() -> None:
    read = joined("einmal trainieren, 20 trials", ("policy", "off", "einmal trainieren"))

    assert [question.text for question in read.questions] == ["einmal trainieren ... 20 trials"]


@pytest.mark.parametrize(
    ("text", "document", "said"),
    [
        (GERMAN, "no JSON", "not a mapping"),
        (GERMAN, {"trials": 20}, "an unknown key"),
        (GERMAN, {}, "the key readings"),
        (GERMAN, {"readings": [{"setting": "trials", "value": 20}]}, "the key words"),
        (GERMAN, answer(("epochs", 5, "20 Versuche")), "not one of policy, trials"),
        (GERMAN, answer(("trials", "20", "20 Versuche")), "not a whole number from 1 to 1,000,000"),
        (GERMAN, answer(("trials", 0, "20 Versuche")), "not a whole number from 1 to 1,000,000"),
        (GERMAN, answer(("time_s", float("inf"), "zwei Stunden")), "not a number above 0"),
        (GERMAN, answer(("trials", 200, "20 Versuche")), 'trials 200 is not what "20 Versuche" says'),
        (GERMAN, answer(("trials", 20, "twenty tries")), '"twenty tries" is not in the request'),
        (GERMAN, answer(("trials", 20, "20 Versuche"), ("trials", 2, "zwei")), "trials has two values"),
        ("10 trials, bitte", answer(("trials", 20, "trials, bitte")), "trials is plainly 10"),
        ("20 trials", answer(("policy", "off", "trials")), "leaves no question about policy"),
        ("tune for 3 hours", answer(("seed", 3, "3")), "leaves no question about seed"),
        ("no HPO", answer(("policy", "on", "HPO")), "policy is plainly off"),
        ("use AutoML", answer(("policy", "off", "AutoML")), "policy is plainly on"),
        ("das beste d9", answer(("metric", "d9", "beste d9")), "d9 is no metric of the skill"),
        ("3 Stunden", answer(("time_s", 3000, "3 Stunden")), "time_s 3000 is not what"),
    ],
)
def test_an_answer_that_breaks_a_rule_is_refused_with_the_rule(text: str, document: object, said: str) -> None:
    assert any(said in sentence for sentence in check(text, document)), check(text, document)


def test_the_instructions_have_the_metrics_of_the_skill_and_the_form_of_an_answer() -> None:
    assert "val/abs_rel" in instructions(METRICS)
    assert '{"readings": [{"setting"' in instructions(METRICS)
