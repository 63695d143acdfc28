"""Ranges: what the schema says, what is derived, and on which scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from automl.space.ranges import RangeError, UserRange, is_batch_size, is_rate, make_parameter
from automl.spec.train_schema import SchemaLeaf, parse_train_schema
from tests.automl.skill.packages import leaf

if TYPE_CHECKING:
    from automl.space.parameters import Parameter


def leaf_of(path: str, kind: str, default: object, **keywords: object) -> SchemaLeaf:
    node: dict[str, Any] = leaf(kind, default, **keywords)
    for step in reversed(path.split(".")):
        node = {"properties": {step: node}}
    return parse_train_schema(node, source="schema.json").leaves[path]


def made(path: str, kind: str, default: Any, **keywords: object) -> Parameter:  # noqa: ANN401 # JSON
    return make_parameter(leaf_of(path, kind, default, **keywords), default)


def test_a_learning_rate_without_a_range_is_reachable_on_both_sides_and_never_0() -> None:
    lr = made("train.optim.lr", "float", 2e-4, minimum=0.0, maximum=math.inf)

    assert lr.bounds == pytest.approx((2e-6, 2e-3))
    assert lr.log
    assert lr.reason == "a hundredth to ten times the value 0.0002, inside the schema"


def test_a_learning_rate_in_0_to_1_stays_near_its_value() -> None:
    assert made("train.optim.lr", "float", 0.5, minimum=0.0, maximum=1.0).bounds == pytest.approx((0.005, 1.0))


def test_a_range_of_the_schema_is_taken_in_full() -> None:
    lr = made("train.optim.lr", "float", 1e-4, minimum=1e-5, maximum=1e-1)

    assert (lr.bounds, lr.log) == ((1e-5, 1e-1), True)


@pytest.mark.parametrize(
    ("kind", "keywords", "bounds"),
    [
        ("float", {"minimum": -2.0, "maximum": -0.5}, (-2.0, -0.5)),
        ("float", {"minimum": 1.0, "maximum": math.inf}, (1.0, 4.0)),
        ("float", {"maximum": 3.0}, (1.0, 3.0)),
        ("float", {}, (1.0, 4.0)),
        ("int", {"minimum": 1, "maximum": math.inf}, (1, 4)),
        ("int", {}, (1, 4)),
        ("int", {"minimum": 2, "maximum": 4}, (2, 4)),
    ],
)
def test_a_missing_end_is_derived_around_the_value(
    kind: str, keywords: dict[str, float], bounds: tuple[float, float]
) -> None:
    assert made("model.margin", kind, 2, **keywords).bounds == pytest.approx(bounds)


def test_a_negative_value_without_bounds_has_negative_neighbours() -> None:
    assert made("model.offset", "float", -2.0).bounds == (-4.0, -1.0)


def test_a_single_layer_can_become_two() -> None:
    assert made("model.layers", "int", 1, minimum=1).bounds == (1, 2)


def test_a_batch_size_is_searched_from_a_quarter_to_four_times_and_capped_by_the_samples() -> None:
    batch = leaf_of("dataset.batch_size", "int", 8, minimum=1, maximum=math.inf)

    assert make_parameter(batch, 8).bounds == (2, 32)
    assert make_parameter(batch, 8).log
    assert make_parameter(batch, 8, cap=10).bounds == (2, 10)
    with pytest.raises(RangeError, match="samples"):
        make_parameter(batch, 8, cap=1)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("train.optim.lr", True),
        ("train.optm_lr", True),
        ("train.optim.lr_backbone", True),
        ("train.base_lr", True),
        ("train.learning_rate", True),
        ("train.optim.weight_decay", True),
        ("train.optim.lr_decay", True),
        ("train.epsilon", True),
        ("train.l2_reg", True),
        ("model.lrelu", False),
        ("model.color", False),
        ("train.steps", False),
        ("train.region", False),
    ],
)
def test_a_rate_is_known_by_its_last_name(path: str, *, answer: bool) -> None:
    assert is_rate(path) is answer


def test_a_batch_size_is_known_by_its_last_name() -> None:
    assert is_batch_size("train.train_batch_per_replica")
    assert is_batch_size("train.mini_batch")
    assert not is_batch_size("train.batch_norm.momentum")


@pytest.mark.parametrize(
    ("kind", "low", "high", "log"),
    [
        ("float", 0.1, 10.0, True),
        ("float", 0.1, 9.0, False),
        ("float", 0.0, 1.0, False),
        ("int", 1, 64, True),
        ("int", 1, 63, False),
    ],
)
def test_wide_positive_ranges_are_logarithmic(kind: str, low: float, high: float, *, log: bool) -> None:
    assert made("model.x", kind, low, minimum=low, maximum=high).log is log


def test_an_excluded_zero_is_a_small_step_away_and_the_scale_stays_linear() -> None:
    parameter = made("data.brightness", "float", 0.3, minimum=0.0, maximum=2.0, math_cond="> 0.0")

    assert parameter.bounds == pytest.approx((0.003, 2.0))
    assert not parameter.log


def test_excluded_ends_of_whole_numbers_are_their_neighbours() -> None:
    assert made("model.x", "int", 5, minimum=0, maximum=9, math_cond="> 0 < 9").bounds == (1, 8)
    assert made("model.x", "int", 5, exclusiveMinimum=0, exclusiveMaximum=9).bounds == (1, 8)


def test_a_value_that_is_forbidden_at_an_end_moves_the_end() -> None:
    assert made("model.x", "int", 5, minimum=0, maximum=9, math_cond="!= 0").bounds == (1, 9)


def test_two_conditions_in_one_text_both_cut() -> None:
    assert made("model.x", "float", 0.5, minimum=-5.0, maximum=5.0, math_cond=">= 0.25 <= 1.0").bounds == (0.25, 1.0)


def test_multiples_stay_inside_the_bounds() -> None:
    parameter = made("model.hidden", "int", 256, minimum=60, maximum=1021, math_cond="/ 8")

    assert list(parameter.bounds) == [64, 1016]
    assert {parameter.from_unit(k / 100) for k in range(101)} <= set(range(64, 1017, 8))


def test_powers_start_at_1_and_end_inside_the_bounds() -> None:
    assert made("model.r", "int", 8, minimum=1, maximum=100, math_cond="^ 2").choices == (1, 2, 4, 8, 16, 32, 64)
    assert made("model.r", "int", 9, minimum=2, maximum=100, math_cond="^ 3").choices == (3, 9, 27, 81)


@pytest.mark.parametrize(
    ("kind", "keywords"),
    [
        ("int", {"minimum": 9, "maximum": 10, "math_cond": "/ 8"}),
        ("int", {"minimum": 5, "maximum": 7, "math_cond": "^ 2"}),
        ("int", {"minimum": 3, "maximum": 4, "math_cond": "> 3 < 4"}),
        ("int", {"minimum": 1, "maximum": 4, "math_cond": "/ 1.5"}),
        ("float", {"minimum": 0.0, "maximum": 1.0, "math_cond": "> 2"}),
        ("string", {}),
        ("list", {}),
        ("categorical", {"enum": [" broken\n"]}),
    ],
)
def test_what_has_no_value_has_no_range(kind: str, keywords: dict[str, object]) -> None:
    with pytest.raises(RangeError):
        make_parameter(leaf_of("model.x", kind, None, **keywords), None)


@pytest.mark.parametrize("default", [None, "${eval: 1}", math.nan])
def test_a_rate_without_a_number_needs_a_maximum(default: Any) -> None:  # noqa: ANN401 # JSON
    rate = leaf_of("train.lr", "float", default, minimum=0.0, maximum=0.1)

    assert make_parameter(rate, default).bounds == pytest.approx((1e-6, 0.1))
    with pytest.raises(RangeError, match=r"low\.\.high"):
        make_parameter(leaf_of("train.lr", "float", default), default)


def test_a_sentinel_is_no_bound() -> None:
    assert made("model.x", "int", 4, minimum=1, maximum=2**31 - 1).bounds[1] == 8
    assert made("model.x", "float", 4.0, minimum=1.0, maximum=1e308).bounds[1] == 8.0


def test_options_of_a_list_are_not_options_for_a_value() -> None:
    with pytest.raises(RangeError, match="element"):
        make_parameter(leaf_of("train.freeze", "subset_list", None, enum=["a", "b"]), None)


def test_the_templates_own_option_is_added() -> None:
    scheduler = leaf_of("train.sched", "categorical", "MultiStepLR", enum=["MultiStep", "StepLR"])

    parameter = make_parameter(scheduler, "MultiStepLR")

    assert parameter.choices == ("MultiStep", "StepLR", "MultiStepLR")
    assert "template" in parameter.reason


def test_weights_are_kept_as_a_prior_and_options_of_weight_0_are_not_drawn() -> None:
    parameter = make_parameter(
        leaf_of("train.decay", "categorical", "a", enum=["a", "b", "c"], option_weights=[0.2, 0.8, 0.0]), "a"
    )

    assert (parameter.choices, parameter.weights) == (("a", "b"), (0.2, 0.8))


def test_numeric_options_respect_the_conditions() -> None:
    assert made("model.x", "ordered_int", 4, enum=[0, 2, 4, 6], math_cond="> 0 / 4").choices == (4,)


def test_a_range_of_the_user_replaces_the_schemas_inside_it() -> None:
    lr = leaf_of("train.lr", "float", 1e-3, minimum=0.0, maximum=1.0, math_cond="> 0.0")

    asked = make_parameter(lr, 1e-3, asked=UserRange(low=1e-4, high=1e-2))

    assert (asked.bounds, asked.log, asked.reason) == ((1e-4, 1e-2), True, "range of the user")
    assert not make_parameter(lr, 1e-3, asked=UserRange(low=1e-4, high=1e-2, log=False)).log
    assert make_parameter(lr, 1e-3, asked=UserRange(low=0.0, high=1e-2)).bounds[0] > 0


def test_a_range_of_the_user_may_be_logarithmic_for_any_number() -> None:
    parameter = make_parameter(leaf_of("model.x", "int", 4), 4, asked=UserRange(low=2, high=8, log=True))

    assert (parameter.bounds, parameter.log) == ((2, 8), True)


@pytest.mark.parametrize("kind", ["int", "float"])
def test_a_value_near_the_largest_float_has_no_range_around_it(kind: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        made("model.margin", kind, 10**308 if kind == "int" else 1e308)
