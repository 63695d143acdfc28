from __future__ import annotations

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from automl.samplers.distributions import distribution_of, representable
from automl.space.parameters import Parameter, ParameterType
from automl.testing.studies import MIXED


def test_each_kind_of_parameter_has_its_distribution() -> None:
    found = {p.path: distribution_of(p) for p in MIXED.parameters}

    assert found["lr"] == FloatDistribution(1e-5, 1.0, log=True)
    assert found["batch"] == IntDistribution(4, 64, log=True)
    assert found["crop"] == IntDistribution(14, 140, step=14)
    assert found["drop"] == FloatDistribution(0.0, 0.5, step=0.1)
    assert found["optimizer"] == CategoricalDistribution(("sgd", "adam", None))


def test_a_range_that_is_no_multiple_of_its_step_ends_at_its_last_value() -> None:
    odd = Parameter(path="n", type=ParameterType.INT, low=1, high=10, step=4, default=1)
    fraction = Parameter(path="f", type=ParameterType.FLOAT, low=0.0, high=1.0, step=0.3, default=0.0)

    assert distribution_of(odd) == IntDistribution(1, 9, step=4)
    assert distribution_of(fraction) == FloatDistribution(0.0, 0.9, step=0.3)


def test_a_value_outside_its_range_has_no_place_among_the_parameters() -> None:
    values, distributions = representable(MIXED, MIXED.default_assignment())

    assert "lr" not in values
    assert set(values) == set(distributions)
    assert values["batch"] == 16
