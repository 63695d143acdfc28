"""Requests in words: many phrasings of the same request, and hostile ones that must not be misread."""

from __future__ import annotations

from typing import Any

import pytest

from automl.architectures.load import load_architecture
from automl.request.text import ParsedRequest, parse_request, share_gpus

METRICS = load_architecture("depth_net_mono").metrics.directions


def read(text: str) -> ParsedRequest:
    return parse_request(text, metrics=METRICS, known_words=frozenset({"depth", "net", "mono"}))


UNDERSTOOD: dict[str, dict[str, Any]] = {
    "20 trials": {"trials": 20},
    "twenty trials": {"trials": 20},
    "twenty-five trials, 2 at a time": {"trials": 25, "jobs": 2},
    "one hundred and fifty trials": {"trials": 150},
    "a couple of trials": {"trials": 2},
    "a dozen experiments": {"trials": 12},
    "trials: 20": {"trials": 20},
    "Do no more than twenty trials.": {"trials": 20},
    "not more than 20 trials": {"trials": 20},
    "fewer than 20 trials": {"trials": 19},
    "at least 20 trials": {"trials": 20},
    "10 to 20 trials": {"trials": 20},
    "between 10 and 20 trials": {"trials": 20},
    "1,000 trials": {"trials": 1000},
    "stop after 20 trials": {"trials": 20},
    "20 trials max": {"trials": 20},
    "two hours": {"time_s": 7200},
    "no more than 90 minutes": {"time_s": 5400},
    "not more than half an hour": {"time_s": 1800},
    "don't spend more than two hours": {"time_s": 7200},
    "it should not take longer than 2 hours": {"time_s": 7200},
    "it must not exceed 30 min": {"time_s": 1800},
    "1.5h": {"time_s": 5400},
    "in 20 minutes or less": {"time_s": 1200},
    "time limit: 2h": {"time_s": 7200},
    "an hour and a half": {"time_s": 5400},
    "10 GPU hours": {"gpu_hours": 10},
    "up to 8 gpu-hours please": {"gpu_hours": 8},
    "4 GPUs": {"gpus": 4},
    "on two H100s": {"gpus": 2},
    "4 A100 GPUs": {"gpus": 4},
    "one GPU per trial": {"gpus_per_trial": 1},
    "half a GPU each": {"gpus_per_trial": 0.5},
    "2 GPUs for each trial": {"gpus_per_trial": 2},
    "CPU only": {"gpus_per_trial": 0},
    "without a GPU": {"gpus_per_trial": 0},
    "2 at a time": {"jobs": 2},
    "2 trials at once": {"jobs": 2},
    "three in parallel": {"jobs": 3},
    "run 3 concurrent trials for 1h30": {"jobs": 3, "time_s": 5400},
    "one after the other": {"jobs": 1},
    "10 minutes per trial": {"trial_time_limit_s": 600},
    "each trial may take up to 10 minutes": {"trial_time_limit_s": 600},
    "best d1": {"metric": "val/d1"},
    "lowest abs_rel": {"metric": "val/abs_rel"},
    "minimise the abs rel": {"metric": "val/abs_rel"},
    "maximize val/d1": {"metric": "val/d1"},
    "maximise delta1": {"metric": "val/d1"},
    "minimise the root mean square error": {"metric": "val/rmse"},
    "lowest absolute relative error": {"metric": "val/abs_rel"},
    "I want the best possible rmse in 3 hours": {"metric": "val/rmse", "time_s": 10800},
    "best rmse_log": {"metric": "val/rmse_log"},
    "highest test d1": {"metric": "val/d1"},
    "Tune it: 12 trials; 3 at a time; 45 min.": {"trials": 12, "jobs": 3, "time_s": 2700},
    "twenty trials, at most 4 GPUs, best abs rel": {"trials": 20, "gpus": 4, "metric": "val/abs_rel"},
    "max number of trials of 20": {"trials": 20},
    "number of trials = 20, number of gpus = 2": {"trials": 20, "gpus": 2},
    "4x A100": {"gpus": 4},
    "a single GPU is enough, 10 mins pls": {"gpus": 1, "time_s": 600},
    "2 GPUs for 3 hours": {"gpus": 2, "time_s": 10800},
    "turn off AutoML": {},
    "don't search, just train": {},
    "find the best hyperparameters for my depth model": {},
    "give it a try": {},
}


@pytest.mark.parametrize(("text", "values"), UNDERSTOOD.items())
def test_what_is_meant_is_understood_and_nothing_is_left(text: str, values: dict[str, Any]) -> None:
    parsed = read(text)

    assert parsed.values == values
    assert parsed.not_understood == ()
    assert set(parsed.phrases) == set(values)


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "at least two hours": ({}, "a lower bound of a time cannot be kept"),
    "0 trials": ({}, "a whole number of at least 1"),
    "2.5 trials": ({}, "a whole number of at least 1"),
    "-5 trials": ({}, "-5 trials"),
    "not 20 trials but 10": ({}, "not 20 trials"),
    "top 3 trials": ({}, "not a limit"),
    "every 2 hours": ({}, "not a limit"),
    "no time limit": ({}, "say a limit"),
    "a second try": ({}, "too short to be meant"),
    "3D detection": ({}, "3D detection"),
    "max depth 80 m": ({}, "80 m"),
    "GPU 3": ({}, "GPU 3"),
    "8 gpus per node": ({}, "8 gpus per node"),
    "10 epochs": ({}, "10 epochs"),
    "stop after 5 trials without improvement": ({}, "5 trials without improvement"),
    "best fooscore": ({}, "fooscore"),
    "do not tune the batch size": ({}, "batch size"),
    "tune depth on this folder, no more than two hours": ({"time_s": 7200}, "depth on this folder"),
    "twenty trials, thirty trials": ({"trials": 20}, "contradicts twenty trials"),
    "best d1 and lowest rmse": ({"metric": "val/d1"}, "the primary metric is val/d1 already"),
    "lowest d1": ({"metric": "val/d1"}, "--direction says otherwise"),
    "a few trials": ({}, "few"),
    "use sampler tpe": ({}, "sampler tpe"),
    "20 trials of 5 epochs each": ({"trials": 20}, "5 epochs each"),
    "4 nodes with 8 GPUs each, 1h": ({"time_s": 3600}, "nodes are those of --ray-address"),
    "2 hours per GPU": ({}, "2 hours per GPU"),
    "1 GPU hour per trial": ({}, "1 GPU hour per trial"),
    "2 trials / hour": ({}, "2 trials / hour"),
    "do not minimise rmse": ({}, "not minimise rmse (negated)"),
    "best d1, not best rmse": ({"metric": "val/d1"}, "not best rmse"),
    "20 trails": ({}, 'did you mean "trials"?'),
    "two hourss": ({}, 'did you mean "hours"?'),
    "twnety trials": ({}, 'did you mean "twenty"?'),
    "overnight": ({}, "overnight"),
    "until 5pm": ({}, "until 5pm"),
    "all GPUs": ({}, "GPUs"),
}


@pytest.mark.parametrize(("text", "expected"), HOSTILE.items())
def test_what_is_not_understood_is_named_and_never_guessed(text: str, expected: tuple[dict[str, Any], str]) -> None:
    values, said = expected

    parsed = read(text)

    assert parsed.values == values
    assert any(said in words for words in parsed.not_understood), parsed.not_understood


def test_every_reading_quotes_the_words_and_says_what_they_mean() -> None:
    phrases = read("no more than 90 minutes and twenty trials").phrases

    assert (phrases["time_s"].text, phrases["time_s"].meaning) == (
        "no more than 90 minutes",
        "a time limit of 1 h 30 min",
    )
    assert phrases["trials"].meaning == "20 trials"


def test_the_same_word_means_another_direction_for_another_skill() -> None:
    stereo = load_architecture("depth_net_stereo").metrics.directions

    assert parse_request("best d1", metrics=stereo).phrases["metric"].meaning == "minimize val/d1"


@pytest.mark.parametrize(
    ("gpus", "jobs", "each", "shared"),
    [(4, None, None, (4, 1)), (4, 2, None, (2, 2)), (4, None, 2.0, (2, 2)), (1, 3, None, (3, 1)), (4, 1, None, (1, 4))],
)
def test_gpus_are_shared_among_trials(
    gpus: float, jobs: float | None, each: float | None, shared: tuple[int, float]
) -> None:
    assert share_gpus(gpus, jobs=jobs, gpus_per_trial=each) == shared
