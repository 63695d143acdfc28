from __future__ import annotations

import numpy as np
import pytest

from automl.samplers.gaussian_process.joint import (
    JointData,
    JointKernel,
    JointPosterior,
    _NegativeLogPosterior,
    fit_joint_kernel,
    log_evidence,
    with_equal_correlations,
)

GROUPS = np.arange(2)


def data(*functions: object, counts: tuple[int, ...] = (6, 20, 20)) -> JointData:
    """Return observations of sin(5 x) times a factor per study, at random points of the unit square."""
    generator = np.random.default_rng(0)
    features = generator.random((sum(counts), 2))
    studies = np.repeat(np.arange(len(counts)), counts)
    factors = np.array(functions, dtype=float)[studies]
    values = factors * np.sin(5.0 * features[:, 0]) + generator.normal(0.0, 0.02, len(features))
    return JointData(features, values, np.ones(len(features)), studies)


def test_the_gradient_is_that_of_the_objective() -> None:
    target = _NegativeLogPosterior(data(1, 1, -1), GROUPS)
    logs = np.random.default_rng(1).normal(0.0, 0.5, 6)

    numeric = [(target(logs + 1e-6 * e)[0] - target(logs - 1e-6 * e)[0]) / 2e-6 for e in np.eye(6)]

    assert target(logs)[1] == pytest.approx(numeric, abs=1e-5)


def test_a_study_that_agrees_is_more_correlated_than_one_that_contradicts() -> None:
    agreeing, contradicting = fit_joint_kernel(data(1, 1, -1), GROUPS).correlations

    assert agreeing > 0.8
    assert contradicting < 0.4


def test_a_study_that_agrees_predicts_where_nothing_was_measured() -> None:
    alike = data(1, 1, counts=(2, 30))
    model = JointPosterior(alike, fit_joint_kernel(alike, GROUPS), GROUPS)
    points = np.array([[0.1, 0.5], [0.3, 0.5], [0.9, 0.5]])

    mean, deviation = model.predict(points)

    assert mean - mean[0] == pytest.approx(np.sin(5 * points[:, 0]) - np.sin(0.5), abs=0.3)
    assert (deviation < 0.5).all()


def test_uncorrelated_studies_do_not_change_a_prediction() -> None:
    apart = JointKernel(np.array([-1.0, -1.0, 0.0, -4.0, -40.0, -40.0]), 2)
    both = data(1, 1, -1)
    own = both.studies == 0
    alone = JointData(both.features[own], both.values[own], both.noise[own], both.studies[own])
    points = np.random.default_rng(2).random((5, 2))

    mean, deviation = JointPosterior(both, apart, GROUPS).predict(points)

    expected = JointPosterior(alone, JointKernel(apart.logs[:4], 2), GROUPS).predict(points)
    assert mean == pytest.approx(expected[0])
    assert deviation == pytest.approx(expected[1])


@pytest.mark.parametrize(("factor", "is_agreement"), [(1.0, True), (-1.0, False)])
def test_the_evidence_is_for_agreement_and_against_contradiction(factor: float, *, is_agreement: bool) -> None:
    earlier = data(0, 1, 1, counts=(0, 20, 20))
    kernel = with_equal_correlations(fit_joint_kernel(earlier, GROUPS))
    features = np.array([[0.1, 0.5], [0.3, 0.2], [0.9, 0.9], [0.6, 0.4]])

    odds = log_evidence(features, factor * np.sin(5 * features[:, 0]), earlier, kernel, GROUPS)

    assert odds > 1.0 if is_agreement else odds < -3.0
