from __future__ import annotations

from dataclasses import replace

import numpy as np

from automl.samplers.cmaes import CmaEsSampler
from automl.samplers.history import History
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.study.trial import TrialState
from tests.automl.samplers.playing import PLANE, bowl, number, play

CORNER = {"x": 1.0, "y": 1.0}


def test_it_converges_on_a_bowl() -> None:
    history, curve = play(CmaEsSampler(PLANE, 1), bowl, 120)

    late = [o.values[0] for o in history.observations[-10:]]
    assert curve[-1] > -1e-3
    assert np.mean(late) > -0.02


def test_the_distribution_turns_along_a_valley() -> None:
    sampler = CmaEsSampler(PLANE, 1)

    history, _ = play(sampler, lambda a: (-1e4 * (number(a, "x") - number(a, "y")) ** 2 + number(a, "x"),), 120)

    candidates = [sampler.propose(history, trial).assignment for trial in range(120, 160)]
    x, y = (np.array([number(candidate, path) for candidate in candidates]) for path in ("x", "y"))
    assert np.std(x - y) < 0.2 * np.std(x + y)


def test_it_comes_back_from_trials_of_others_that_are_far_from_its_distribution() -> None:
    sampler = CmaEsSampler(PLANE, 1)
    history, _ = play(sampler, bowl, 120)
    far = [replace(o, assignment=CORNER, values=(1.0,)) if o.number in {113, 117} else o for o in history.observations]

    later, _ = play(sampler, bowl, 40, History(observations=tuple(far)))

    assert np.mean([o.values[0] for o in later.observations[-10:]]) > -0.02


def test_one_parameter_is_enough() -> None:
    line = SearchSpace(
        parameters=(Parameter(path="x", type=ParameterType.FLOAT, low=-1.0, high=1.0, default=-0.5),), fixed={}
    )

    _, curve = play(CmaEsSampler(line, 1), lambda a: (-((number(a, "x") - 0.3) ** 2),), 40)

    assert curve[-1] > -1e-3


def test_what_it_has_computed_before_changes_no_proposal() -> None:
    kept = CmaEsSampler(PLANE, 1)
    history, _ = play(kept, bowl, 60)
    other = History(observations=tuple(replace(o, values=(-o.values[0],)) for o in history.observations[:40]))
    diverged = History(
        observations=tuple(
            replace(o, state=TrialState.DIVERGED, values=()) if o.number % 5 == 0 else o for o in history.observations
        )
    )
    failed = History(
        observations=tuple(
            replace(o, state=TrialState.FAILED, values=()) if o.number % 7 == 0 else o for o in diverged.observations
        )
    )
    missing = History(observations=tuple(replace(o, violations=(o.number % 3 - 1.0,)) for o in history.observations))

    for known in (history, other, diverged, failed, missing, history):
        fresh = CmaEsSampler(PLANE, 1)
        assert kept.propose(known, 99).assignment == fresh.propose(known, 99).assignment


def test_it_goes_on_from_the_trials_that_it_knows_as_if_it_saw_all_for_the_first_time() -> None:
    played, _ = play(CmaEsSampler(PLANE, 1), bowl, 60)
    unlike = {13: TrialState.DIVERGED, 14: TrialState.FAILED, 30: TrialState.DIVERGED}
    observed = [replace(o, state=unlike[o.number], values=()) if o.number in unlike else o for o in played.observations]
    observed[50] = replace(observed[50], violations=(0.5,))
    kept = CmaEsSampler(PLANE, 1)

    for count in range(5, 61, 5):
        known = History(observations=tuple(observed[:count]))
        without = History(observations=tuple(replace(o, values=o.values) for o in observed[:count]))
        assert kept.propose(known, 99) == CmaEsSampler(PLANE, 1).propose(without, 99)
