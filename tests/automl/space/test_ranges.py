"""Ranges: what the schema says, what is derived, and on which scale."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from automl.architectures.load import load_architecture
from automl.space import ranges
from automl.space.derived import RangeError, UserRange, family_of
from automl.spec.train_schema import SchemaLeaf, parse_train_schema
from tests.automl.skill.packages import leaf

if TYPE_CHECKING:
    from automl.space.parameters import Parameter


FAMILIES = load_architecture("any").parameters.families


def make_parameter(leaf: SchemaLeaf, value: Any, **more: Any) -> Parameter:  # noqa: ANN401 # JSON
    return ranges.make_parameter(leaf, value, family=family_of(FAMILIES, leaf, value), **more)


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
    assert lr.reason == "learning rate: a hundredth to ten times the value 0.0002, inside the schema"


def test_a_learning_rate_in_0_to_1_stays_near_its_value() -> None:
    assert made("train.optim.lr", "float", 0.5, minimum=0.0, maximum=1.0).bounds == pytest.approx((0.005, 1.0))


@pytest.mark.parametrize(
    ("keywords", "is_elastic", "derived", "reach"),
    [
        ({}, True, ("low", "high"), (-math.inf, math.inf)),
        ({}, False, (), (1e-3, 1e-1)),
        ({"minimum": 1e-3, "maximum": 1.0}, True, ("high",), (1e-3, 1.0)),
    ],
)
def test_the_ends_of_an_elastic_range_of_the_user_may_move_as_far_as_the_schema_allows(
    keywords: dict[str, float],
    is_elastic: bool,  # noqa: FBT001 - a case
    derived: tuple[str, ...],
    reach: tuple[float, float],
) -> None:
    asked = UserRange(low=1e-3, high=1e-1, log=True, is_elastic=is_elastic)

    lr = make_parameter(leaf_of("train.optim.lr", "float", 1e-2, **keywords), 1e-2, asked=asked)

    assert lr.bounds == (1e-3, 1e-1)
    assert (lr.derived, lr.reach) == (derived, reach)


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
    ("path", "kind", "value", "family"),
    [
        ("train.optim.lr", "float", 1e-4, "learning rate"),
        ("train.optm_lr", "float", 1e-4, "learning rate"),
        ("train.optim.lr_backbone", "float", 1e-4, "learning rate"),
        ("train.learning_rate", "float", 1e-4, "learning rate"),
        ("train.schedulers.learning_rate.val_base", "float", 1e-4, "learning rate"),
        ("train.schedulers.teacher_temperature.val_base", "float", 0.07, "temperature"),
        ("train.schedulers.momentum.val_base", "float", 0.996, "decay of averaged weights"),
        ("train.optim.weight_decay", "float", 1e-4, "weight decay"),
        ("train.optim.lr_decay", "float", 0.1, "decay factor of the rate"),
        ("train.optim.lr_decay", "float", 0.97, "decay factor of the rate near 1"),
        ("train.optim.layer_decay_rate", "float", 0.65, "decay per layer"),
        ("train.optim.betas[0]", "float", 0.9, "first momentum"),
        ("train.optim.beta2", "float", 0.999, "second momentum"),
        ("model.bn_momentum", "float", 0.1, "momentum of normalisation"),
        ("train.ema.momentum", "float", 0.0002, "rate of averaged weights"),
        ("train.epsilon", "float", 1e-8, "epsilon"),
        ("model.dropout_ratio", "float", 0.0, "drop probability"),
        ("dataset.augmentation.flip_prob", "float", 0.5, "probability"),
        ("train.some_constant", "float", 0.998, "value near 1"),
        ("train.train_batch_per_replica", "int", 4, "batch size"),
        ("train.mini_batch", "int", 4, "batch size"),
        ("model.lrelu", "float", 0.1, ""),
        ("model.color", "float", 0.1, ""),
        ("train.steps", "int", 4, ""),
        ("train.region", "float", 0.5, ""),
        ("train.optim.lr_steps", "int", 4, ""),
    ],
)
def test_a_family_is_known_by_the_whole_path_the_type_and_the_value(
    path: str, kind: str, value: float, family: str
) -> None:
    assert family_of(FAMILIES, leaf_of(path, kind, value), value).name == family


@pytest.mark.parametrize(
    ("path", "value", "keywords", "low", "high", "scale"),
    [
        ("train.ema_decay", 0.998, {}, 0.98, 0.9998, "one"),
        ("train.ema_decay", 0.998, {"minimum": 0.0, "maximum": 1.0}, 0.98, 0.9998, "one"),
        ("train.momentum", 0.9, {}, 0.5, 0.99, "one"),
        ("train.optim.beta2", 0.999, {"minimum": 0.0, "maximum": 1.0}, 0.99, 0.9999, "one"),
        ("train.optim.layer_decay", 0.65, {"minimum": 0.0, "maximum": math.inf}, 0.5, 1.0, "linear"),
        ("model.dropout", 0.1, {"minimum": 0.0, "maximum": 1.0}, 0.0, 0.5, "linear"),
        ("model.dropout", 0.7, {"minimum": 0.0, "maximum": 1.0}, 0.0, 0.7, "linear"),
        ("data.flip_prob", 0.5, {}, 0.0, 1.0, "linear"),
        ("train.temperature", 0.07, {}, 0.0175, 0.28, "log"),
        ("train.gamma", 0.1, {}, 0.01, 0.8, "log"),
        ("model.dice_loss_weight", 5.0, {"minimum": 0.0}, 1.25, 20.0, "log"),
    ],
)
def test_values_near_1_and_near_0_have_a_scale_and_a_range_that_fit_them(
    path: str, value: float, keywords: dict[str, float], low: float, high: float, scale: str
) -> None:
    parameter = made(path, "float", value, **keywords)

    assert parameter.bounds == pytest.approx((low, high))
    assert ("log" if parameter.log else "one" if parameter.log_to_one else "linear") == scale


def test_a_decay_is_drawn_on_the_scale_of_its_distance_to_1() -> None:
    decay = made("train.ema_decay", "float", 0.998)

    drawn = sorted(float(decay.from_unit((k + 0.5) / 1000) or 0) for k in range(1000))

    assert drawn[0] > 0.979
    assert 0.997 < drawn[500] < 0.9985


@pytest.mark.parametrize(
    ("path", "kind", "value", "beside"),
    [
        ("train.grad_clip", "float", 0, (0,)),
        ("train.grad_clip", "float", None, (None,)),
        ("train.optim.weight_decay", "float", 0.0, (0.0,)),
        ("data.num_frames", "int", -1, (-1,)),
        ("train.grad_clip", "float", 1.0, ()),
    ],
)
def test_a_value_that_stands_for_off_is_a_choice_beside_the_range(
    path: str,
    kind: str,
    value: Any,  # noqa: ANN401 # JSON
    beside: tuple[Any, ...],
) -> None:
    parameter = made(path, kind, value, minimum=-1, maximum=64)

    drawn = [parameter.from_unit((k + 0.5) / 1000) for k in range(1000)]

    assert parameter.beside == beside
    assert all(value in beside or (isinstance(value, int | float) and value > 0) for value in drawn)
    assert drawn.count(beside[0] if beside else "") == (200 if beside else 0)
    assert not beside or parameter.from_unit(parameter.to_unit(beside[0])) == beside[0]


def test_0_with_no_other_end_says_nothing_of_a_range() -> None:
    with pytest.raises(RangeError, match="follows from its value 0; give one"):
        made("model.window", "int", 0, minimum=0)


@pytest.mark.parametrize(
    ("path", "value", "bounds", "step"),
    [
        ("data.image_size", 384, (192, 768), 32),
        ("data.image_size", 518, (259 // 14 * 14 + 14, 1036), 14),
        ("model.hidden_dim", 256, (128, 512), 64),
    ],
)
def test_sizes_are_searched_in_usual_steps_within_four_times_the_cost(
    path: str, value: int, bounds: tuple[int, int], step: int
) -> None:
    parameter = made(path, "int", value, minimum=1, maximum=100_000)

    assert (parameter.bounds, parameter.step) == (bounds, step)
    assert "for its cost" in parameter.reason


def test_a_user_may_ask_for_what_costs_more() -> None:
    leaf = leaf_of("train.num_epochs", "int", 10, minimum=1, maximum=1000)

    assert make_parameter(leaf, 10).bounds == (3, 40)
    assert make_parameter(leaf, 10, asked=UserRange(low=1, high=500)).bounds == (1, 500)


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

    assert parameter.bounds == pytest.approx((0.003, 0.8))
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


MONO = load_architecture("depth_net_mono").parameters.families
ENCODERS = {"enum": ["vit_tiny", "vits", "vitb", "vitl", "vitg"]}
CROP = "dataset.train_dataset.augmentation.crop_size"


@pytest.mark.parametrize(
    ("leaf", "default", "cost"),
    [
        (leaf_of("dataset.train_dataset.batch_size", "int", 8, minimum=1), 8, "memory x0.27 to x3.7"),
        (
            leaf_of("model.encoder", "categorical", "vits", **ENCODERS),
            "vits",
            "memory x0.14 to x5.4, time x0.13 to x11",
        ),
        (
            leaf_of("model.encoder", "categorical", "vitl", enum=["vits", "vitl"]),
            "vitl",
            "memory x0.18 to x1, time x0.093 to x1",
        ),
        (
            replace(leaf_of("side", "int", 518, minimum=14), path=f"{CROP}[0]"),
            518,
            "memory x0.26 to x4, time x0.26 to x4",
        ),
        (replace(leaf_of("side", "int", 518, minimum=14), path=f"{CROP}[1]"), 518, ""),
    ],
)
def test_what_the_shipped_trainer_costs_is_measured(leaf: SchemaLeaf, default: Any, cost: str) -> None:  # noqa: ANN401 # JSON
    found = ranges.make_parameter(leaf, default, family=family_of(MONO, leaf, default)).cost

    assert found.partition(" of the template's")[0] == cost
    assert (" (measured with depth_net" in found) == bool(cost)
    assert ("not for vitg" in found) == ("vitg" in leaf.choices)


def test_one_side_of_an_image_costs_in_proportion_and_both_stay_within_four_times() -> None:
    height = made("dataset.input_height", "int", default=256, minimum=32, maximum=4096)

    assert (height.low, height.high) == (128, 512)
    assert height.cost.startswith("memory x0.5 to x2, time x0.5 to x2 of the template")
    assert "within 2 times the template's value for its cost" in height.reason


def test_what_a_range_costs_is_estimated_for_other_trainers() -> None:
    image = made("data.image_size", "int", 384, minimum=1)
    listed = make_parameter(leaf_of("data.batch_size", "int", 8), 8, asked=UserRange(choices=(4, 8, 32)))
    frozen = made("model.freeze_backbone", "bool", default=False)

    assert image.cost == "memory x0.25 to x4, time x0.25 to x4 of the template's (estimated for a size of an image)"
    assert listed.cost == "memory x0.5 to x4 of the template's (estimated for a batch size)"
    assert frozen.cost.startswith("memory x0.4 to x1, time x0.4 to x1 of the template's (estimated")
    assert made("model.backbone.freeze_norm", "bool", default=False).cost == ""
    assert made("train.lr", "float", 1e-3, minimum=0.0).cost == ""


@pytest.mark.parametrize("default", [10**400, -1, 0, None])
def test_beside_a_value_that_is_no_size_nothing_is_said_of_cost(default: int | None) -> None:
    leaf = leaf_of("data.batch_size", "int", 8)

    assert make_parameter(leaf, default, asked=UserRange(choices=(4, 8, 32))).cost == ""
