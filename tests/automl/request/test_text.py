"""Requests in plain text: what is read exactly, and what stops the run because it may change policy or numbers."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from automl.architectures.load import load_architecture
from automl.request.apply_text import share_gpus
from automl.request.text import ParsedRequest, parse_request

METRICS = load_architecture("depth_net_mono").metrics.directions


def read(text: str) -> ParsedRequest:
    return parse_request(text, metrics=METRICS, names=("depth_net_mono",))


UNDERSTOOD: dict[str, dict[str, Any]] = {
    "20 trials": {"trials": 20},
    "twenty trials": {"trials": 20},
    "twenty-five trials, 2 at a time": {"trials": 25, "jobs": 2},
    "a dozen experiments": {"trials": 12},
    "trials: 20": {"trials": 20},
    "Do no more than twenty trials.": {"trials": 20},
    "not more than 20 trials": {"trials": 20},
    "fewer than 20 trials": {"trials": 19},
    "1,000 trials": {"trials": 1000},
    "10k trials": {"trials": 10000},
    "20 trials max": {"trials": 20},
    "number of trials = 20, number of gpus = 2": {"trials": 20, "gpus": 2},
    "50 trials with a budget of 8 hours": {"trials": 50, "time_s": 28800},
    "two hours": {"time_s": 7200},
    "no more than 90 minutes": {"time_s": 5400},
    "not more than half an hour": {"time_s": 1800},
    "don't spend more than two hours": {"time_s": 7200},
    "don't search longer than one hour": {"time_s": 3600},
    "it must not exceed 30 min": {"time_s": 1800},
    "1.5h": {"time_s": 5400},
    "in 20 minutes or less": {"time_s": 1200},
    "time limit: 2h": {"time_s": 7200},
    "10 GPU hours": {"gpu_hours": 10},
    "up to 8 gpu-hours please": {"gpu_hours": 8},
    "4 GPUs": {"gpus": 4},
    "no more than 2 GPUs": {"gpus": 2},
    "never use more than 2 GPUs": {"gpus": 2},
    "on two H100s": {"gpus": 2},
    "4 A100 GPUs": {"gpus": 4},
    "4x A100": {"gpus": 4},
    "on a single GPU, 10 mins": {"gpus": 1, "time_s": 600},
    "one GPU per trial": {"gpus_per_trial": 1},
    "all GPUs": {"gpus": math.inf},
    "d1": {"metric": "val/d1"},
    "trials 20, gpus 4, d1": {"trials": 20, "gpus": 4, "metric": "val/d1"},
    "after 20 trials you can stop": {"trials": 20},
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
    "2 GPUs for 3 hours": {"gpus": 2, "time_s": 10800},
    "best d1": {"metric": "val/d1"},
    "lowest abs_rel": {"metric": "val/abs_rel"},
    "minimise the abs rel": {"metric": "val/abs_rel"},
    "maximise val/d1": {"metric": "val/d1"},
    "maximise delta1": {"metric": "val/d1"},
    "minimise the root mean square error": {"metric": "val/rmse"},
    "lowest absolute relative error": {"metric": "val/abs_rel"},
    "I want the best possible rmse in 3 hours": {"metric": "val/rmse", "time_s": 10800},
    "best rmse_log": {"metric": "val/rmse_log"},
    "seed 3": {"seed": 3},
    "use the tpe sampler, seed: 7": {"sampler": "tpe", "seed": 7},
    "sampler: gp, scheduler: asha": {"sampler": "gp", "scheduler": "asha"},
    "Tune it: 12 trials; 3 at a time; 45 min.": {"trials": 12, "jobs": 3, "time_s": 2700},
    "twenty trials, at most 4 GPUs, best abs rel": {"trials": 20, "gpus": 4, "metric": "val/abs_rel"},
    "Fine-tune Depth Anything on my warehouse images for 20 trials in 2 hours": {"trials": 20, "time_s": 7200},
    "Optimise abs rel on the kitchen photos, 12 trials, at most 3 hours, two at a time": {
        "metric": "val/abs_rel",
        "trials": 12,
        "time_s": 10800,
        "jobs": 2,
    },
    "Do not use more than 4 GPUs and search for 8 hours": {"gpus": 4, "time_s": 28800},
    "find good hyperparameters for depth anything on my garage dataset": {},
    "train the model": {},
    "AutoML please": {},
    "tune!": {},
}


@pytest.mark.parametrize(("text", "values"), UNDERSTOOD.items())
def test_what_is_meant_is_understood_and_nothing_is_left(text: str, values: dict[str, Any]) -> None:
    parsed = read(text)

    assert parsed.values == values
    assert parsed.questions == ()
    assert parsed.policy != "off"


FOREIGN: dict[str, tuple[str | None, dict[str, Any]]] = {
    "20 Versuche": (None, {"trials": 20}),
    "maximal 20 Versuche, bitte": (None, {"trials": 20}),
    "30 Minuten": (None, {"time_s": 1800}),
    "2 Stunden": (None, {"time_s": 7200}),
    "AutoML ausschalten": ("off", {}),
    "AutoML aus, 2 h, 1 GPU": ("off", {"time_s": 7200, "gpus": 1}),
    "bitte kein AutoML, 2 GPUs": ("off", {"gpus": 2}),
    "keine Hyperparametersuche": ("off", {}),
    "einmal trainieren": ("off", {}),
    "AutoML einschalten, 20 Versuche": ("on", {"trials": 20}),
    "20 essais": (None, {"trials": 20}),
    "2 heures au maximum": (None, {"time_s": 7200}),
    "sans AutoML, 2 GPUs": ("off", {"gpus": 2}),
    "pas d'AutoML, merci": ("off", {}),
    "20 pruebas como m\u00e1ximo": (None, {"trials": 20}),
    "2 horas": (None, {"time_s": 7200}),
    "sin b\u00fasqueda de hiperpar\u00e1metros": ("off", {}),
    "20\u6b21\u8bd5\u9a8c\uff0c2\u5c0f\u65f6": (None, {"trials": 20, "time_s": 7200}),
    "\u4e0d\u7528AutoML": ("off", {}),
    "20\u56de\u306e\u8a66\u884c\u30012\u6642\u9593": (None, {"trials": 20, "time_s": 7200}),
    "AutoML\u306a\u3057": ("off", {}),
}
FOREIGN_QUESTIONS = """keine 20 Versuche|AutoML nicht ausschalten|mehr als 20 Versuche|20 Versuche pro GPU|1,5 Stunden
    |einmal trainieren reicht nicht|20 essais de plus|pas sans AutoML|no sin AutoML|2 heures par essai
    |\u4e0d\u662f\u4e0d\u7528AutoML|AutoML\u306a\u3057\u3067\u306f\u306a\u3044|1.000 Versuche"""


@pytest.mark.parametrize(("text", "right"), FOREIGN.items())
def test_the_plainest_forms_of_other_languages_are_read(text: str, right: tuple[str | None, dict[str, Any]]) -> None:
    parsed = read(text)

    assert (parsed.policy, parsed.values, parsed.questions) == (*right, ())


@pytest.mark.parametrize("text", [text.strip() for text in FOREIGN_QUESTIONS.split("|")])
def test_whatever_stands_beside_them_is_a_question(text: str) -> None:
    assert read(text).questions


OFF = """no need for HPO|AutoML no|search: no|use_automl=false
    |turn off AutoML|please TURN OFF automl|turn AutoML off|disable AutoML|no AutoML|no HPO, thanks|plain training
    |a normal training run|single training run|skip the loop|train without auto-ml|AutoML: off|train it with no HPO.
    |automl_policy: off|AutoML disabled|no HPO, just train it|don't search, just train|just train it|don't use AutoML
    |Do not tune, just train.|no tuning please|train it once|without any search|no sweep
    |skip hyperparameter optimization|please do a single training run|one training run only
    |Train once on my data for 2 hours|AutoML off, 2 GPUs
    |no AutoML but use two GPUs|I don't want any tuning|I do not want AutoML|leave AutoML out
    |plain training on my data|do not run a hyperparameter search|switch HPO off"""
ON = """use AutoML|enable AutoML|turn on HPO|automl_policy: on|AutoML on|run a hyperparameter search
    |search for the best settings, 4 trials at once|find the best hyperparameters|tune the hyperparameters"""


@pytest.mark.parametrize("text", [text.strip() for text in OFF.split("|")])
def test_these_sentences_ask_for_one_training(text: str) -> None:
    parsed = read(text)

    assert (parsed.policy, parsed.questions) == ("off", ())


@pytest.mark.parametrize("text", [text.strip() for text in ON.split("|")])
def test_these_sentences_ask_for_a_search(text: str) -> None:
    parsed = read(text)

    assert (parsed.policy, parsed.questions) == ("on", ())


POLICY_QUESTIONS = """do not turn off AutoML|never skip the HPO|don't disable AutoML|no HPO budget was given
    |AutoML off is not what I want|HPO isn't needed
    |forget the tuning|AutoML can wait|train it the old-fashioned way|simply train it|train normally
    |we already tuned this, use the defaults|search everything but skip the loop later|Is AutoML on?
    |Should I use AutoML?|plain training with 20 trials|no HPO for the encoder|use AutoML, no HPO
    |no HPO with more than 20 trials|tune it, unless it takes long|spare me the search
    |rather than tuning, train|instead of AutoML train it|search, or train once|hands off the hyperparameters
    |Bitte ohne Suche trainieren|nur trainieren, nicht suchen|ich m\u00f6chte kein AutoML
    |entra\u00eene le mod\u00e8le sans recherche|sans optimisation|ne cherche pas
    |solo entrenar|no uses AutoML|senza ricerca|addestra soltanto
    |niet zoeken|geen AutoML|\u4e0d\u8981\u641c\u7d22|AutoML\u3092\u4f7f\u308f\u306a\u3044\u3067
    |\u0431\u0435\u0437 \u043f\u043e\u0438\u0441\u043a\u0430|sem busca, apenas treinar"""
VALUE_QUESTIONS = """at least two hours|0 trials|2.5 trials|-5 trials|every 2 hours|GPU 3|8 gpus per node
    |stop after 5 epochs without improvement|best d1 and lowest rmse|lowest d1|a few trials
    |use sampler tpe|use 2 nodes|2 hours per GPU|1 GPU hour per trial|2 trials / hour
    |20 trails|twnety trials 5|overnight|until 5pm|between 10 and 20 trials
    |5-10 trials|a couple of hours|use half the GPUs|twenty trials, thirty trials
    |4 nodes with 8 GPUs each|max depth 80 m|no time limit of 2 hours|target 0.9|unlimited time|resolution of 518
    |not 20 trials but 10|instead of 20 trials 10|weight decay 0.1|two hourss"""


@pytest.mark.parametrize("text", [text.strip() for text in POLICY_QUESTIONS.split("|")])
def test_a_sentence_that_may_limit_the_search_is_a_question(text: str) -> None:
    parsed = read(text)

    assert parsed.questions


@pytest.mark.parametrize("text", [text.strip() for text in VALUE_QUESTIONS.split("|")])
def test_a_number_or_setting_that_is_not_read_is_a_question(text: str) -> None:
    parsed = read(text)

    assert parsed.questions


def test_a_plain_description_of_the_data_is_read_and_any_other_is_a_question() -> None:
    assert read("Please fine-tune on my images. They are indoor pictures of a hotel.").questions == ()

    (question,) = read("Please fine-tune on my images, with masks from the hotel in Rome.").questions
    assert question.text == "with masks from the hotel in Rome"
    assert question.unread == ("masks", "Rome")


@pytest.mark.parametrize("text", list(UNDERSTOOD))
@pytest.mark.parametrize("word", ["hardly", "unless", "nicht", "no\u200b"])
def test_no_word_is_passed_over_wherever_it_stands(text: str, word: str) -> None:
    words = text.split()

    for place in range(len(words) + 1):
        assert read(" ".join([*words[:place], word, *words[place:]])).questions, place


def test_every_reading_quotes_the_words_and_says_what_they_mean() -> None:
    phrases = read("no more than 90 minutes and twenty trials").phrases

    quoted = (phrases["time_s"].text, phrases["time_s"].meaning)
    assert quoted == ("no more than 90 minutes", "a time limit of 1 h 30 min")
    assert phrases["trials"].meaning == "20 trials"


@pytest.mark.parametrize(
    ("text", "metrics", "metric"),
    [
        ("maximise test d1", ["val/d1", "test/d1"], "test/d1"),
        ("maximise d1", ["test/d1", "val/d1"], "val/d1"),
        ("maximise val d1", ["val/d1", "test/d1"], "val/d1"),
        ("maximise test d1", ["val/d1"], None),
        ("maximise val d1", ["test/d1"], None),
    ],
)
def test_a_metric_is_of_the_split_that_is_named(text: str, metrics: list[str], metric: str | None) -> None:
    parsed = parse_request(text, metrics=dict.fromkeys(metrics, "maximize"))

    assert parsed.values.get("metric") == metric
    assert bool(parsed.questions) == (metric is None)


def test_the_same_word_means_another_direction_for_another_skill() -> None:
    stereo = load_architecture("depth_net_stereo").metrics.directions

    assert parse_request("best d1", metrics=stereo).phrases["metric"].meaning == "minimize val/d1"


@pytest.mark.parametrize(
    "word", ["with ", "do not ", "a budget ", "on my ", "turn off the ", "1h30 ", "not more than "]
)
def test_a_long_request_is_read_in_time_or_refused(word: str) -> None:
    began_s = time.process_time()
    read((word * 4000)[:4000])
    assert time.process_time() - began_s < 5

    assert "4000 at most" in read("w" * 5000).questions[0].text


@pytest.mark.parametrize(
    ("gpus", "jobs", "each", "shared"),
    [
        (4, None, None, (4, 1)),
        (4, 2, None, (2, 2)),
        (5, 2, None, (2, 2)),
        (4, None, 2.0, (2, 2)),
        (3, None, 2.0, (1, 2)),
        (4, 1, None, (1, 4)),
        (2, 4, None, (4, 0.5)),
        (3, 4, None, (4, 0.5)),
        (1, 3, None, (3, 1 / 3)),
        (3, None, 0.6, (3, 0.6)),
        (3, None, 0.5, (6, 0.5)),
    ],
)
def test_gpus_are_shared_among_trials(
    gpus: float, jobs: float | None, each: float | None, shared: tuple[int, float]
) -> None:
    assert share_gpus(gpus, jobs=jobs, gpus_per_trial=each) == shared
    assert shared[0] * shared[1] <= gpus + 1e-9


NOT_TOGETHER = """4 GPUs, 8 GPUs per trial|Use 4 GPUs. Use 2 GPUs per trial. Run 4 at once.|CPU only, 4 GPUs
    |no GPU, 4 GPU hours|Train on the CPU with 2 GPUs|20 trials in 2 hours on the CPU and 4 GPUs|3 hours, 2 hours max
    |after 2 hours you can stop the search and train once
    |1 hour and 2 hours|2 days, 1 day|2 hours 2 hours|30 minutes, 2 hours|3 hours, 30 minutes at most|2 days, 10 hours
    |2 hours and 30 minutes per trial|40 trials in parallel on 4 GPUs|32 trials in parallel|20 trials in parallel
    |8 trials in parallel on 4 GPUs|4 GPUs, 20 trials at once
    |No AutoML. The search should take at most 2 hours."""
TOTAL_AND_EACH = {
    "2 hours, 30 minutes per trial": {"time_s": 7200, "trial_time_limit_s": 1800},
    "1 day, 2 hours per trial": {"time_s": 86400, "trial_time_limit_s": 7200},
    "2 hours 30 minutes": {"time_s": 9000},
    "1 day and 2 hours": {"time_s": 93600},
    "2 GPUs, 20 trials, 4 at once": {"gpus": 2, "trials": 20, "jobs": 4},
    "100 trials, 20 trials in parallel": {"trials": 100, "jobs": 20},
    "run 100 trials, 8 in parallel on 8 GPUs": {"trials": 100, "jobs": 8, "gpus": 8},
    "gpus=2, jobs=4": {"gpus": 2, "jobs": 4},
}


@pytest.mark.parametrize("text", [text.strip() for text in NOT_TOGETHER.split("|")])
def test_amounts_that_cannot_be_had_together_are_a_question(text: str) -> None:
    assert read(text).questions


@pytest.mark.parametrize(("text", "values"), TOTAL_AND_EACH.items())
def test_a_total_stands_beside_what_each_trial_has(text: str, values: dict[str, Any]) -> None:
    assert (read(text).values, read(text).questions) == (values, ())
