from __future__ import annotations

import threading
import time

import numpy as np

from automl.samplers.gaussian_process.background import AheadKernels, Latest
from automl.samplers.gaussian_process.regression import Prior
from automl.samplers.history import History, Observation
from automl.study.causes import Origin, OriginKind
from automl.study.trial import TrialState

FEATURES = np.random.default_rng(0).random((20, 2))
VALUES = np.sin(5 * FEATURES[:, 0])


def test_a_kernel_that_was_fitted_is_returned_at_once_and_is_the_same() -> None:
    groups, prior = np.array([0, 1]), Prior.for_dimensions(2)
    ahead = AheadKernels(groups, prior)
    fresh = AheadKernels(groups, prior).fitted(FEATURES, VALUES, np.ones(20))
    first = ahead.fitted(FEATURES, VALUES, np.ones(20))

    start = time.perf_counter()
    second = ahead.fitted(FEATURES, VALUES, np.ones(20))

    assert time.perf_counter() - start < 0.005
    assert second is first
    np.testing.assert_array_equal(first.lengths, fresh.lengths)


def test_other_data_gives_another_kernel() -> None:
    ahead = AheadKernels(np.array([0, 1]), Prior.for_dimensions(2))

    first = ahead.fitted(FEATURES, VALUES, np.ones(20))
    second = ahead.fitted(FEATURES, -2 * VALUES, np.ones(20))

    assert first.signal != second.signal


def test_what_runs_ahead_runs_on_the_latest_history_and_skips_those_that_wait() -> None:
    may_go_on, is_done = threading.Event(), threading.Event()
    seen: list[int] = []

    def training_data_from(history: History) -> None:
        may_go_on.wait(timeout=30)
        seen.append(len(history.observations))
        if len(history.observations) == 3:
            is_done.set()

    trial = Observation(number=0, assignment={}, origin=Origin(OriginKind.GIVEN), state=TrialState.RUNNING)
    ahead = Latest(training_data_from)
    start = time.perf_counter()
    for count in range(4):
        ahead.begin(History(observations=(trial,) * count))
    assert time.perf_counter() - start < 1.0
    may_go_on.set()

    assert is_done.wait(timeout=30)
    assert seen[-1] == 3
    assert len(seen) <= 2
