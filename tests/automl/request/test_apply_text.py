"""What explicit options decide of a text that is not read in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl.errors import ConfigurationError
from automl.request.apply_text import apply_request_text, request_problems
from automl.request.study_request import StudyRequest
from automl.skill.load import load_skill


def request(text: str, options: dict[str, Any]) -> StudyRequest:
    return StudyRequest(name="study", skill="depth_net_mono", request_text=text, **options)


@pytest.mark.parametrize(
    ("text", "options", "is_decided"),
    [
        ("we would rather not tune", {}, False),
        ("we would rather not tune", {"trials": 20}, False),
        ("we would rather not tune", {"policy": "off"}, True),
        ("we would rather not tune", {"policy": "on"}, True),
        ("we would rather not use 4 GPUs", {"policy": "on"}, False),
        ("nur einmal trainieren", {"policy": "off"}, True),
        ("lange suchen", {"policy": "on"}, False),
        ("lange suchen", {"policy": "on", "time_s": 3600.0}, True),
        ("10 iterations", {"policy": "on", "trials": 20}, False),
        ("for the baseline: 20 epochs", {"policy": "on", "trials": 20}, False),
        ("kitchen: 20 epochs", {"policy": "on", "trials": 20}, False),
        ("20 epochs, hopefully", {"policy": "on", "trials": 20}, False),
        ("batch size 8 or 16", {"policy": "on", "trials": 20}, False),
        ("20 trials, thirty trials", {"policy": "on"}, False),
        ("20 trials, thirty trials", {"trials": 30}, True),
        ("no AutoML, 20 trials", {"policy": "on"}, True),
    ],
)
def test_explicit_options_decide_what_they_can_be_about(text: str, options: dict[str, Any], is_decided: object) -> None:
    skill = load_skill("depth_net_mono")

    assert (not request_problems(request(text, options), skill)) == is_decided
    applied, _, notes = apply_request_text(request(text, options), skill)
    assert any(note.startswith("an option decides") for note in notes) == is_decided
    assert {name: getattr(applied, name) for name in options} == options


def test_a_question_names_the_words_and_the_commands_to_choose_from() -> None:
    (problem,) = request_problems(request("fine-tune on the NYU dataset", {}), load_skill("depth_net_mono"))

    assert problem.found == '"fine-tune on the NYU dataset" is not read in full: "NYU"'
    assert problem.fix.count("automl run --skill depth_net_mono --policy ") == 2


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("lowest d1", "a metric has its own direction: val/d1 is to be maximized"),
        ("3.5 GPUs", "a part of a GPU is for each trial: 0.5 GPUs per trial"),
        ("10-20 trials", "a range of numbers is not read: give one, the limit"),
        ("lange suchen", "to search with a limit: automl run --skill depth_net_mono --policy on --trials 20; to train"),
        ("not 20 trials", "say it in plain forms"),
        ("sorry", "to search with a limit: automl run --skill depth_net_mono --policy on --trials 20; to train"),
    ],
)
def test_the_advice_answers_the_question(text: str, fix: str) -> None:
    (problem,) = request_problems(request(text, {}), load_skill("depth_net_mono"))

    assert problem.fix.startswith(fix)
    assert f'"{text}"' in problem.found


def test_target_patience_replicates_and_warm_start_are_settings_of_the_study() -> None:
    text = "stop when d1 reaches 0.95, patience 5, 3 replicates, no warm start"
    applied, _, _ = apply_request_text(request(text, {}), load_skill("depth_net_mono"))

    assert (applied.metric, applied.target, applied.patience_trials) == ("val/d1", 0.95, 5)
    assert (applied.replicates, applied.warm_start) == (3, ())


def test_no_value_is_taken_from_a_clause_that_is_not_read_in_full() -> None:
    _, parsed, _ = apply_request_text(request("not 20 trials, 2 hours", {}), load_skill("depth_net_mono"))

    assert parsed.values == {"time_s": 7200}


@pytest.mark.parametrize(
    ("text", "options", "shared"),
    [
        ("2 GPUs, 20 trials, 4 at once", {}, (4, 0.5)),
        ("4 GPUs", {"jobs": 8}, (8, 0.5)),
        ("4 GPUs", {"gpus_per_trial": 2.0}, (2, 2)),
        ("4 GPUs", {"gpus_per_trial": 0.0}, (None, 0)),
        ("4 GPUs", {"gpus_per_trial": 8.0}, None),
        ("4 GPUs, 2 GPUs per trial, 20 trials", {"jobs": 4}, None),
        ("4 GPUs", {"jobs": 4, "gpus_per_trial": 2.0}, (4, 2)),
        ("all GPUs", {}, (None, None)),
        ("all GPUs", {"gpus_per_trial": 2.0}, (None, 2)),
        ("all GPUs", {"jobs": 4}, (4, 2)),
        ("all GPUs", {"policy": "off"}, (1, 8)),
        ("one trial on all GPUs", {}, (1, 8)),
        ("one trial on 4 GPUs", {}, (1, 4)),
    ],
)
def test_options_and_the_gpus_of_a_text_are_shared_or_a_question(
    text: str, options: dict[str, Any], shared: tuple[int, float] | None
) -> None:
    skill = load_skill("depth_net_mono")
    applied, _, _ = apply_request_text(request(text, options), skill, all_gpus=8)

    assert bool(request_problems(request(text, options), skill)) == (shared is None)
    assert shared in {None, (applied.jobs, applied.gpus_per_trial)}


def test_parameters_epochs_and_folders_of_a_text_are_settings_of_the_study() -> None:
    text = (
        "tune weight decay and lr between 1e-5 and 1e-3, batch size 4, 3 epochs each, on /data/a, validation in /data/b"
    )
    applied, _, _ = apply_request_text(request(text, {}), load_skill("depth_net_mono"))

    assert applied.search == ("*weight_decay*", "learning_rate=1e-5..1e-3")
    assert applied.overrides == {"num_epochs": 3, "train_batch_size": 4}
    assert applied.data == {"train": "/data/a", "val": "/data/b"}


@pytest.mark.parametrize(
    ("text", "options", "kept"),
    [
        ("10 epochs", {"overrides": {"train.num_epochs": 5}}, {"overrides": {"train.num_epochs": 5}}),
        ("tune the lr", {"search": ("train.optim.weight_decay",)}, {"search": ("train.optim.weight_decay",)}),
        ("on /data/a", {"data": {"train": "/data/b"}}, {"data": {"train": "/data/b"}}),
    ],
)
def test_options_win_over_the_parameters_of_a_text(text: str, options: dict[str, Any], kept: dict[str, Any]) -> None:
    applied, _, notes = apply_request_text(request(text, options), load_skill("depth_net_mono"))

    assert {name: getattr(applied, name) for name in kept} == kept
    assert "wins" in notes[0]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("weight decay between 1e-5 and 1e-3", {}),
        ("on /data/a", {"source": Path("study.yaml"), "data": {"train": "/data/b"}}),
    ],
)
def test_a_parameter_without_a_short_name_and_a_second_folder_are_refused(text: str, options: dict[str, Any]) -> None:
    (problem,) = request_problems(request(text, options), load_skill("depth_net_mono"))

    assert "--set" in problem.fix or "--data" in problem.fix


def test_all_gpus_cannot_be_shared_out_where_their_number_is_not_known() -> None:
    with pytest.raises(ConfigurationError) as caught:
        apply_request_text(request("all GPUs, 2 at once", {}), load_skill("depth_net_mono"))

    assert "say how many" in str(caught.value.problems[0].fix)
