"""The life of a trial, as states."""

from __future__ import annotations

import pytest

from automl.study.trial import TrialState


@pytest.mark.parametrize("state", [TrialState.PENDING, TrialState.RUNNING, TrialState.INTERRUPTED])
def test_a_trial_that_may_run_again_is_not_final(state: TrialState) -> None:
    assert not state.is_final


@pytest.mark.parametrize("state", [TrialState.DIVERGED, TrialState.FAILED, TrialState.INTERRUPTED, TrialState.RUNNING])
def test_only_completed_and_stopped_trials_may_compete(state: TrialState) -> None:
    assert not state.has_value
    assert TrialState.COMPLETED.has_value
    assert TrialState.STOPPED.has_value
