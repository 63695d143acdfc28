"""The decision table of the policy, row by row."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal

import pytest

from automl.errors import ConfigurationError
from automl.request.policy import Policy, PolicyDecision, Route, SkillFacts, decide, parse_policy

SchemaState = Literal["valid", "missing", "unreadable"]
SCHEMAS: tuple[SchemaState, ...] = ("valid", "missing", "unreadable")
POLICIES: tuple[Policy | None, ...] = (None, "on", "off")
PHRASE = "plain training"


def facts(
    *,
    enabled: bool = True,
    schema: SchemaState = "valid",
    template: bool = True,
    empty: bool = False,
    ranges: bool = False,
) -> SkillFacts:
    return SkillFacts(
        is_enabled=enabled,
        schema=schema,
        schema_file="schemas/train.schema.json",
        has_template=template,
        template_file="references/spec_template_train.yaml",
        has_ranges=ranges,
        space_is_empty=empty,
        left_out=("dataset.workers: throughput only",) if empty else (),
        candidates=("train.optim.lr",) if empty else (),
    )


def outcome(policy: Policy | None, *, phrase: bool, about: SkillFacts, must_search: bool = False) -> str:
    try:
        decision = decide(requested=policy, off_phrase=PHRASE if phrase else None, facts=about, must_search=must_search)
    except ConfigurationError:
        return "error"
    return decision.route.value


ANY_SKILL = [
    facts(enabled=enabled, schema=schema, empty=empty)
    for enabled, schema, empty in itertools.product((True, False), SCHEMAS, (True, False))
]


@pytest.mark.parametrize("about", ANY_SKILL, ids=repr)
def test_row_1_off_trains_once_whatever_the_skill(about: SkillFacts) -> None:
    for phrase in (True, False):
        assert outcome("off", phrase=phrase, about=about) == "train_once"


@pytest.mark.parametrize("about", ANY_SKILL, ids=repr)
def test_row_2_a_request_that_says_off_trains_once_and_is_quoted(about: SkillFacts) -> None:
    decision = decide(requested=None, off_phrase=PHRASE, facts=about)

    assert decision.route is Route.TRAIN_ONCE
    assert '"plain training"' in decision.reasons[0]


@pytest.mark.parametrize("policy", [None, "on"])
def test_row_3_an_enabled_skill_with_a_valid_schema_is_tuned(policy: Policy | None) -> None:
    assert outcome(policy, phrase=False, about=facts()) == "tune"


def test_row_4_the_flag_wins_over_the_phrase_with_a_warning() -> None:
    decision = decide(requested="on", off_phrase=PHRASE, facts=facts())

    assert decision.route is Route.TUNE
    assert "plain training" in decision.warnings[0]


@pytest.mark.parametrize("policy", [None, "on"])
@pytest.mark.parametrize("schema", ["valid", "missing", "unreadable"])
def test_row_5_a_skill_that_is_not_enabled_is_trained_once_and_says_so(
    policy: Policy | None, schema: SchemaState
) -> None:
    decision = decide(requested=policy, off_phrase=None, facts=facts(enabled=False, schema=schema))

    assert decision.route is Route.TRAIN_ONCE
    assert "not AutoML-enabled" in decision.reasons[0]
    assert bool(decision.warnings) == (policy == "on")


MISSING = [
    (facts(schema="missing"), "schemas/train.schema.json is generated"),
    (facts(schema="unreadable"), "schemas/train.schema.json (it cannot be read) is generated"),
    (
        replace(facts(schema="unreadable"), schema_problem="text"),
        "schemas/train.schema.json (it cannot be read: text) is generated",
    ),
    (facts(template=False), "references/spec_template_train.yaml is generated"),
]


@pytest.mark.parametrize("policy", [None, "on"])
@pytest.mark.parametrize(
    ("about", "said"), MISSING, ids=["schema missing", "schema unreadable", "why", "template missing"]
)
def test_row_6_a_skill_without_schema_or_template_is_trained_directly_and_the_file_is_named(
    policy: Policy | None, about: SkillFacts, said: str
) -> None:
    decision = decide(requested=policy, off_phrase=None, facts=about)

    assert decision.route is Route.TRAIN_ONCE
    assert decision.reasons[0] == f"AutoML is enabled but not runnable for this model until {said}"


@pytest.mark.parametrize(
    ("about", "said"), MISSING, ids=["schema missing", "schema unreadable", "why", "template missing"]
)
def test_row_7_a_required_search_that_cannot_be_done_is_an_error_naming_the_file(about: SkillFacts, said: str) -> None:
    with pytest.raises(ConfigurationError, match="--require-search") as caught:
        decide(requested="on", off_phrase=None, facts=about, must_search=True)

    assert said.split(" ", maxsplit=1)[0] in caught.value.problems[0].fix


@pytest.mark.parametrize(
    ("policy", "phrase", "about", "fix"),
    [
        ("off", None, facts(template=False), "leave one of the two out"),
        (None, "no HPO", facts(), "use --policy on"),
        ("on", None, facts(enabled=False, schema="missing"), "set automl_enabled: true in its skill_info.yaml"),
        (None, None, facts(empty=True), "name one with --search"),
    ],
)
def test_a_required_search_that_is_refused_says_what_it_needs(
    policy: Policy | None, phrase: str | None, about: SkillFacts, fix: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        decide(requested=policy, off_phrase=phrase, facts=about, must_search=True)

    assert caught.value.problems[0].fix.startswith(fix)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("phrase", [True, False])
@pytest.mark.parametrize("about", [*ANY_SKILL, facts(template=False)], ids=repr)
def test_a_required_search_is_a_search_or_an_error(policy: Policy | None, phrase: bool, about: SkillFacts) -> None:  # noqa: FBT001 # a parameter of the test
    expected = "tune" if outcome(policy, phrase=phrase, about=about) == "tune" else "error"

    assert outcome(policy, phrase=phrase, about=about, must_search=True) == expected


@pytest.mark.parametrize("policy", [None, "on"])
@pytest.mark.parametrize("about", [facts(schema="missing", ranges=True), facts(template=False, ranges=True)])
def test_row_8_ranges_of_the_user_are_the_space_where_schema_or_template_is_missing(
    policy: Policy | None, about: SkillFacts
) -> None:
    decision = decide(requested=policy, off_phrase=None, facts=about)

    assert decision.route is Route.TUNE
    assert "you gave the ranges" in decision.reasons[0]


def test_row_9_an_explicit_on_for_an_empty_space_is_an_error_with_candidates() -> None:
    with pytest.raises(ConfigurationError, match=r"train\.optim\.lr") as caught:
        decide(requested="on", off_phrase=None, facts=facts(empty=True))

    assert "dataset.workers: throughput only" in caught.value.problems[0].found


def test_row_10_without_a_policy_an_empty_space_is_trained_once_and_reported() -> None:
    decision = decide(requested=None, off_phrase=None, facts=facts(empty=True))

    assert decision.route is Route.TRAIN_ONCE
    assert "nothing to search" in decision.reasons[0]


@pytest.mark.parametrize("policy", [None, "on", "off"])
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("schema", ["missing", "unreadable"])
def test_row_11_without_template_and_schema_there_is_no_spec(
    policy: Policy | None,
    enabled: bool,  # noqa: FBT001 # a parameter of the test
    schema: SchemaState,
) -> None:
    with pytest.raises(ConfigurationError, match="--spec"):
        decide(requested=policy, off_phrase=None, facts=facts(enabled=enabled, schema=schema, template=False))


def test_the_table_has_an_answer_for_every_combination() -> None:
    answers = {
        outcome(policy, phrase=phrase, about=facts(enabled=enabled, schema=schema, template=template, empty=empty))
        for policy, phrase, enabled, schema, template, empty in itertools.product(
            POLICIES,
            (True, False),
            (True, False),
            SCHEMAS,
            (True, False),
            (True, False),
        )
    }

    assert answers == {"tune", "train_once", "error"}


def decide_for(action: str, policy: Policy | None) -> PolicyDecision:
    about = SkillFacts(action=action, is_enabled=True, schema="valid", has_template=True, space_is_empty=False)
    return decide(requested=policy, off_phrase=None, facts=about)


@pytest.mark.parametrize("action", ["evaluate", "inference", "export", "gen_trt_engine", "convert"])
def test_actions_that_do_not_train_are_never_rerouted(action: str) -> None:
    assert decide_for(action, "on").route is Route.TRAIN_ONCE


@pytest.mark.parametrize("action", ["train", "distill", "retrain", "segment_train", "inference_hpo"])
def test_actions_that_train_are_searched_by_default(action: str) -> None:
    assert decide_for(action, None).route is Route.TUNE


@pytest.mark.parametrize("action", ["prune", "quantize"])
def test_pruning_and_quantizing_are_searched_on_request_only(action: str) -> None:
    assert decide_for(action, None).route is Route.TRAIN_ONCE
    assert decide_for(action, "on").route is Route.TUNE


@pytest.mark.parametrize(
    ("value", "policy"),
    [("on", "on"), ("OFF", "off"), ("auto", "on"), (True, "on"), (False, "off"), (None, None), (" on ", "on")],
)
def test_a_policy_has_its_old_and_its_yaml_spellings(value: str | bool | None, policy: str | None) -> None:  # noqa: FBT001 # as YAML reads it
    assert parse_policy(value) == policy


def test_any_other_policy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--policy"):
        parse_policy("maybe")
