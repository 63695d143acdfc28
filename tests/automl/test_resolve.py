"""From a request to a search space."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.request.apply_text import apply_request_text, request_problems
from automl.request.location import RunLocation
from automl.request.policy import Route
from automl.request.study_request import StudyRequest, load_study_request
from automl.resolve import check_settings, resolve_inputs, resolve_objectives
from automl.run import make_plan as make_study_plan
from automl.skill.load import load_skill
from automl.study.objectives import LAST_EPOCH
from tests.automl.skill.packages import write_skill
from tests.automl.study.examples import SKILL, make_plan

if TYPE_CHECKING:
    from automl.request.text import ParsedRequest

REQUEST = StudyRequest(skill="toy", name="example")


def test_the_toy_skill_opens_with_a_space_and_the_spec_of_trial_0() -> None:
    inputs = resolve_inputs(REQUEST)

    assert "train.optim.lr" in inputs.space.paths
    assert inputs.space["train.optim.lr"].default == inputs.spec.get("train.optim.lr")


def test_what_the_user_sets_leaves_the_space() -> None:
    inputs = resolve_inputs(REQUEST.with_settings(overrides={"train.optim.lr": 0.5}))

    assert "train.optim.lr" not in inputs.space.paths
    assert inputs.spec.get("train.optim.lr") == 0.5


def test_nothing_is_searched_when_the_policy_is_off() -> None:
    assert resolve_inputs(REQUEST.with_settings(policy="off")).space.parameters == ()


def test_an_empty_space_shows_the_policy_and_what_was_left_out() -> None:
    pinned = {path: resolve_inputs(REQUEST).spec.get(path) for path in resolve_inputs(REQUEST).space.paths}

    facts = resolve_inputs(REQUEST.with_settings(overrides=pinned)).facts

    assert facts.space_is_empty
    assert facts.left_out


def test_test_data_that_only_the_evaluation_reads_is_no_input_of_the_training() -> None:
    request = StudyRequest(skill="depth_net_mono", name="example").with_settings(
        data={"train": "/a.txt", "test": "/t.txt"}
    )

    spec = resolve_inputs(request).spec

    assert spec.get("dataset.train_dataset.data_sources[0].data_file") == "/a.txt"
    assert not spec.has("dataset.test_dataset.data_sources[0].data_file")


def test_test_data_that_no_action_reads_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="test"):
        resolve_inputs(REQUEST.with_settings(data={"test": "/t.txt"}))


def test_a_metric_of_unknown_direction_is_never_guessed() -> None:
    with pytest.raises(ConfigurationError, match="direction"):
        resolve_objectives(REQUEST.with_settings(metric="val/unheard_of"), SKILL)


def test_sampler_rule_and_options_are_checked_together() -> None:
    plan = dataclasses.replace(make_plan(), sampler="tpee", scheduler="ashaa", options={"grace_epoch": 3})

    request = REQUEST.with_settings(source=Path("/s/study.yaml"), explicit=("scheduler", "options.grace_epoch"))
    with pytest.raises(ConfigurationError) as caught:
        check_settings(plan, request)

    assert sorted(problem.where for problem in caught.value.problems) == [
        "--option grace_epoch",
        "--scheduler",
        "/s/study.yaml: sampler",
    ]


def test_an_explicit_policy_decides_what_the_words_leave_open() -> None:
    request = REQUEST.with_settings(request_text="I'd rather not tune; 5 iterations")
    skill = load_skill(request.skill)

    assert [problem.found.partition(" is not")[0] for problem in request_problems(request, skill)] == [
        '"I\'d rather not tune"',
        '"5 iterations"',
    ]
    assert len(request_problems(request.with_settings(policy="on"), skill)) == 1


def applied_to(request: StudyRequest) -> tuple[StudyRequest, ParsedRequest, tuple[str, ...]]:
    return apply_request_text(request, load_skill(request.skill))


def test_words_win_over_the_study_file_and_every_reading_is_reported() -> None:
    request = load_study_request("toy/quick")
    said = "five trials, no more than 30 minutes, 2 at a time. They are pictures of a hotel"
    request = request.with_settings(request_text=said)

    applied, _, lines = applied_to(request)

    assert (applied.trials, applied.time_s, applied.jobs) == (5, 1800.0, 2)
    assert lines == (
        'the request says "five trials": 5 trials',
        'the request says "no more than 30 minutes": a time limit of 30 min 00 s',
        'the request says "2 at a time": 2 at once',
    )


def test_an_option_wins_over_the_words_and_that_is_said() -> None:
    request = load_study_request("toy/quick").with_settings(
        request_text="twenty trials", trials=3, explicit=("trials",)
    )

    applied, _, lines = applied_to(request)

    assert applied.trials == 3
    assert lines == ('the request says "twenty trials"; --trials 3 wins',)


def test_all_gpus_of_the_request_are_shared_or_given_to_the_one_training() -> None:
    def share(text: str) -> tuple[int | None, float | None]:
        applied, _, _ = applied_to(REQUEST.with_settings(request_text=text))
        return applied.jobs, applied.gpus_per_trial

    assert share("4 GPUs") == (4, 1.0)
    assert share("4 GPUs, two at a time") == (2, 2.0)
    assert share("4 GPUs, 2 GPUs per trial") == (2, 2.0)
    assert share("plain training on 4 GPUs") == (1, 4.0)


def test_words_against_a_search_win_over_the_policy_of_the_study_file_but_not_over_the_option() -> None:
    request = load_study_request("toy/quick").with_settings(request_text="don't search, just train")

    assert request.policy == "on"
    assert applied_to(request)[0].policy is None
    assert applied_to(request.with_settings(explicit=("policy",)))[0].policy == "on"


def test_a_metric_in_words_brings_its_own_direction() -> None:
    request = StudyRequest(
        skill="depth_net_mono", name="x", request_text="lowest abs rel", source=Path("study.yaml")
    ).with_settings(metric="val/d1", direction="maximize")

    applied, _, _ = applied_to(request)

    assert (applied.metric, applied.direction) == ("val/abs_rel", None)


def test_several_objectives_win_over_a_metric_in_words() -> None:
    request = StudyRequest(skill="depth_net_mono", name="x", request_text="best d1").with_settings(
        objectives=("val/abs_rel:minimize", "train_loss")
    )

    applied, _, lines = applied_to(request)

    assert (applied.metric, applied.objectives) == (None, request.objectives)
    assert lines == ('the request says "best d1"; --metric val/abs_rel wins',)


def test_a_limit_for_each_trial_becomes_an_option_of_the_study() -> None:
    applied, _, _ = applied_to(REQUEST.with_settings(request_text="10 minutes per trial"))

    assert applied.options["trial_time_limit_s"] == 600.0


def test_without_words_nothing_changes() -> None:
    assert applied_to(REQUEST)[::2] == (REQUEST, ())


def test_several_objectives_each_have_a_direction_and_the_first_leads() -> None:
    request = REQUEST.with_settings(objectives=("val/d1:maximize", "latency_ms:min"))

    leading, further = resolve_objectives(request, SKILL)[0]

    assert (leading.metric, leading.direction) == ("val/d1", "maximize")
    assert (further.metric, further.direction) == ("latency_ms", "minimize")


def test_every_objective_that_cannot_be_used_is_reported_at_once() -> None:
    request = REQUEST.with_settings(objectives=("val/d1:max", "unheard_of", "val/d1:min"))

    with pytest.raises(ConfigurationError) as caught:
        resolve_objectives(request, SKILL)[0]

    assert [p.where for p in caught.value.problems] == ["--objective unheard_of", "--objective val/d1:min"]


def test_problems_of_objectives_and_constraints_are_reported_together() -> None:
    request = REQUEST.with_settings(objectives=("unheard_of",), constraints=("memory_gib",))

    with pytest.raises(ConfigurationError) as caught:
        resolve_objectives(request, SKILL)

    assert [p.where for p in caught.value.problems] == ["--objective unheard_of", "--constraint"]
    assert caught.value.problems[0].expected == "unheard_of:maximize or unheard_of:minimize"


def test_a_metric_of_a_study_file_gives_way_to_objectives_and_one_of_the_command_line_does_not() -> None:
    request = REQUEST.with_settings(objectives=("val/d1:max",), metric="val/r2")

    assert [objective.metric for objective in resolve_objectives(request, SKILL)[0]] == ["val/d1"]
    with pytest.raises(ConfigurationError, match="--metric beside it"):
        resolve_objectives(request.with_settings(explicit=("metric",)), SKILL)[0]


def test_a_batch_above_the_samples_is_lowered_in_trial_0_and_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_text("a.png b.png\n" * 3, encoding="utf-8")
    key = "dataset.train_dataset.batch_size"
    request = StudyRequest(skill="depth_net_mono", name="example").with_settings(data={"train": str(file)})

    inputs, fixed = resolve_inputs(request), resolve_inputs(request.with_settings(overrides={key: 8}))

    for found in (inputs, fixed):
        assert found.spec.get(key) == 3
        assert found.notes == (f"{key} 8 is lowered to 3: the training data have 3 samples",)
    assert key not in fixed.space.paths


def test_one_training_needs_no_metric(tmp_path: Path) -> None:
    skill = load_skill(write_skill(tmp_path, template={"train": {"epochs": 3}}))
    request = StudyRequest(skill=str(tmp_path), name="example")

    assert resolve_objectives(request, skill, Route.TRAIN_ONCE)[0] == (LAST_EPOCH,)
    with pytest.raises(ConfigurationError, match="no metric known"):
        resolve_objectives(request, skill, Route.TUNE)
    with pytest.raises(ConfigurationError, match="direction"):
        resolve_objectives(request.with_settings(metric="mine"), skill, Route.TRAIN_ONCE)


@pytest.mark.parametrize("schema", [None, {"type": "object", "properties": {}}])
def test_ranges_of_the_user_are_the_space_where_there_is_no_schema(
    tmp_path: Path, schema: dict[str, object] | None
) -> None:
    write_skill(tmp_path, template={"train": {"lr": 0.1, "epochs": 3}}, schema=schema)
    request = StudyRequest(skill=str(tmp_path), name="example")

    ranged = resolve_inputs(request.with_settings(search=("train.lr=0.01..1:log",)))

    assert ranged.space.paths == ("train.lr",)
    assert ranged.facts.has_ranges
    assert not resolve_inputs(request.with_settings(search=("train.lr",) if schema else ())).facts.has_ranges


def test_the_missing_files_of_a_skill_are_named(tmp_path: Path) -> None:
    facts = resolve_inputs(StudyRequest(skill=str(write_skill(tmp_path, template={"a": 1})), name="example")).facts

    assert facts.not_there == (str(tmp_path / "schemas/train.schema.json"),)
    assert facts.template_file == str(tmp_path / "references/spec_template_train.yaml")


@pytest.mark.parametrize(
    ("study", "search", "metric", "words"),
    [
        ("relative", ("train.relative_loss", "train.optim.lr"), "val/loss", ["is searched", "nothing about metres"]),
        ("relative", (), "val/loss", ["nothing about metres"]),
        ("relative", ("train.relative_loss", "train.optim.lr"), "val/d1", []),
        ("demo", (), "val/loss", []),
    ],
)
def test_a_plan_says_where_a_loss_cannot_compare_trials(
    tmp_path: Path, study: str, search: tuple[str, ...], metric: str, words: list[str]
) -> None:
    request = load_study_request(f"depth_net_mono/{study}").with_settings(
        objectives=(f"{metric}:{'minimize' if 'loss' in metric else 'maximize'}",), metric=None, direction=None
    )
    request = request.with_settings(search=search) if search else request

    found = [reason for reason in make_study_plan(request, RunLocation(results=tmp_path)).reasons if metric in reason]

    assert [word for word in words if any(word in reason for reason in found)] == words
    assert len([reason for reason in found if "searched" in reason or "metres" in reason]) == len(words)


def test_a_text_may_name_the_metric_of_the_skill_itself() -> None:
    applied, _, lines = applied_to(REQUEST.with_settings(request_text="tune for the best r2"))

    assert applied.metric == "val/r2"
    assert lines == ('the request says "the best r2": maximize val/r2', 'the request says "tune": search')
