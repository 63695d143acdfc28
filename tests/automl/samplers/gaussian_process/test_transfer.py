from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from automl.samplers.gaussian_process.transfer import TransferSampler
from automl.samplers.history import History
from automl.samplers.quasi_random import RandomSampler
from automl.samplers.registry import make_sampler
from automl.space.conditions import Condition
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.study.causes import OriginKind
from automl.study.earlier import Agreement, EarlierStudy, EarlierTrial
from automl.study.trial import TrialState
from automl.testing.studies import plan_of
from tests.automl.samplers.playing import PLANE, bowl, number, play

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automl.space.values import Scalar


def earlier(name: str, seed: int, *, factor: float = 1.0, count: int = 20, diverges: bool = False) -> EarlierStudy:
    """Return a study of random trials on the bowl; with ``diverges`` those with x > 0.2 diverged."""
    history, _ = play(RandomSampler(PLANE, seed), bowl, count)
    trials = []
    for o in history.observations:
        is_diverged = diverges and number(o.assignment, "x") > 0.2
        trials.append(
            EarlierTrial(
                assignment=o.assignment,
                value=None if is_diverged else factor * o.values[0],
                state=TrialState.DIVERGED if is_diverged else TrialState.COMPLETED,
            )
        )
    return EarlierStudy(name=name, trials=tuple(trials))


def shuffled(study: EarlierStudy) -> EarlierStudy:
    values = np.random.default_rng(0).permutation([trial.value or 0.0 for trial in study.trials])
    return replace(study, trials=tuple(replace(t, value=float(v)) for t, v in zip(study.trials, values, strict=True)))


ALIKE = tuple(earlier(f"s{seed}", seed) for seed in (11, 12, 13))


def distance(assignment: Mapping[str, Scalar]) -> float:
    return float(np.hypot(number(assignment, "x") - 0.3, number(assignment, "y") - 0.3))


def test_the_trial_after_the_template_goes_where_earlier_studies_were_good() -> None:
    history, curve = play(make_sampler(replace(plan_of("auto", PLANE), earlier=ALIKE)), bowl, 5)

    assert {o.origin.kind for o in history.observations} == {OriginKind.TRANSFER}
    assert distance(history.observations[0].assignment) < 0.2
    assert curve[-1] > -0.005


def test_where_less_is_better_the_least_values_are_good() -> None:
    turned = tuple(earlier(f"s{seed}", seed, factor=-1.0) for seed in (11, 12, 13))

    candidate = TransferSampler(PLANE, 1, turned, -1.0).propose(History(), 1)

    assert distance(candidate.assignment) < 0.2


def test_studies_that_contradict_the_first_values_are_dropped_and_the_cold_search_goes_on() -> None:
    turned = tuple(earlier(f"s{seed}", seed, factor=-1.0) for seed in (11, 12, 13))
    history, curve = play(make_sampler(replace(plan_of("auto", PLANE), earlier=turned)), bowl, 12)

    kinds = [o.origin.kind for o in history.observations]
    assert kinds[0] is OriginKind.TRANSFER
    assert OriginKind.TRANSFER not in kinds[4:]
    assert curve[-1] > -0.05


def test_studies_whose_values_follow_no_pattern_are_not_used() -> None:
    noise = tuple(shuffled(study) for study in ALIKE)

    unused = Agreement(correlation=None)
    assert TransferSampler(PLANE, 1, noise, 1.0).agreement(History()) == dict.fromkeys(("s11", "s12", "s13"), unused)
    with_one = TransferSampler(PLANE, 1, (*noise, replace(ALIKE[0], name="alike")), 1.0).agreement(History())
    assert {name for name, found in with_one.items() if found != unused} == {"alike"}


def test_of_studies_that_are_contradicted_those_of_noise_are_still_said_to_be_noise() -> None:
    studies = (
        *(earlier(f"s{seed}", seed, factor=-1.0) for seed in (11, 12)),
        replace(shuffled(ALIKE[2]), name="noise"),
    )
    history, _ = play(make_sampler(replace(plan_of("auto", PLANE), earlier=studies)), bowl, 8)

    assert TransferSampler(PLANE, 1, studies, 1.0).agreement(history) == {"noise": Agreement(correlation=None)}


def test_the_agreement_says_how_many_pairs_of_trials_an_earlier_study_ranks_as_here() -> None:
    sampler = TransferSampler(PLANE, 1, (*ALIKE, earlier("turned", 14, factor=-1.0)), 1.0)
    history, _ = play(sampler, bowl, 6)

    found = sampler.agreement(history)

    assert found["s11"].pairs == 15
    assert found["s11"].alike > 10 > found["turned"].alike
    assert found["s11"].correlation > found["turned"].correlation  # type: ignore[operator] # both follow a pattern
    assert str(found["s11"]).endswith(f"; it ranks {found['s11'].alike} of 15 pairs of trials as here")


def test_regions_where_earlier_studies_diverged_are_avoided() -> None:
    diverging = tuple(earlier(f"s{seed}", seed, diverges=True, count=30) for seed in (11, 12, 13))
    history, _ = play(TransferSampler(PLANE, 1, diverging, 1.0), bowl, 2)

    assert all(number(o.assignment, "x") < 0.3 for o in history.observations)


def test_a_proposal_depends_on_the_history_alone() -> None:
    sampler = TransferSampler(PLANE, 1, ALIKE, 1.0)
    history, _ = play(sampler, bowl, 6)
    prepared = TransferSampler(PLANE, 1, ALIKE, 1.0)
    prepared.prepare(History(observations=history.observations[:-1]))

    expected = sampler.propose(history, 6)

    assert TransferSampler(PLANE, 1, ALIKE, 1.0).propose(history, 6) == expected
    assert prepared.propose(history, 6) == expected


def test_running_trials_are_not_proposed_again() -> None:
    sampler = TransferSampler(PLANE, 1, ALIKE, 1.0)
    history, _ = play(sampler, bowl, 3)
    running = replace(history.observations[-1], state=TrialState.RUNNING, values=(), finished_as=None)
    history = History(observations=(*history.observations[:-1], running))

    candidate = sampler.propose(history, 3)

    assert candidate.assignment != running.assignment


@pytest.mark.parametrize("studies", [1, 30])
def test_of_many_studies_a_few_observations_are_kept(studies: int) -> None:
    many = tuple(earlier(f"s{seed}", seed, count=30) for seed in range(studies))
    sampler = TransferSampler(PLANE, 1, many, 1.0)

    candidate = sampler.propose(History(), 1)

    assert distance(candidate.assignment) < 0.2
    kept = sampler._sources  # noqa: SLF001 - what the time of a proposal depends on
    assert kept is not None
    assert len(kept.data.values) <= 90


MIXED = SearchSpace(
    parameters=(
        Parameter(path="lr", type=ParameterType.FLOAT, low=1e-5, high=0.1, log=True, default=1e-3),
        Parameter(path="opt", type=ParameterType.CATEGORICAL, choices=("adam", "sgd", "lion"), default="adam"),
        Parameter(
            path="momentum",
            type=ParameterType.FLOAT,
            low=0.5,
            high=0.99,
            default=0.0,
            condition=Condition(path="opt", any_of=("sgd",)),
        ),
        Parameter(path="batch", type=ParameterType.INT, low=4, high=64, step=4, default=16),
    ),
    fixed={},
)


def mixed(
    values: Callable[[int, float], float | None] = lambda _, rate: -((np.log10(rate) + 3.0) ** 2),
    rates: Callable[[int], float] = lambda i: 10.0 ** (-5.0 + 0.3 * i),
    batch: int = 16,
) -> EarlierStudy:
    """Return a study of 12 trials: number and learning rate -> value, None where it diverged; all with adam."""
    trials = []
    for i in range(12):
        value = values(i, rates(i))
        state = TrialState.DIVERGED if value is None else TrialState.COMPLETED
        assignment: dict[str, Scalar] = {"lr": rates(i), "opt": "adam", "batch": batch}
        trials.append(EarlierTrial(assignment=assignment, value=value, state=state))
    return EarlierStudy(name="odd", trials=tuple(trials))


@pytest.mark.parametrize(
    "odd",
    [
        mixed(rates=lambda i: 10.0 ** (-5.0 + i // 4)),  # points that are repeated
        mixed(rates=lambda _: 1e-3),
        mixed(values=lambda *_: 0.5),
        mixed(values=lambda *_: None),
        mixed(values=lambda i, rate: None if i % 2 else -((np.log10(rate) + 3.0) ** 2)),
        mixed(values=lambda i, rate: -1e30 if i < 4 else -((np.log10(rate) + 3.0) ** 2)),
        mixed(values=lambda _, rate: min(1e12 - (np.log10(rate) + 3.0) ** 2, 1e12 - 1.0)),
        mixed(batch=15),  # between two steps
        replace(mixed(), trials=mixed().trials[:1]),
        EarlierStudy(name="odd", trials=()),
    ],
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_whatever_an_earlier_study_holds_the_proposal_is_valid_and_follows_the_sound_one(
    odd: EarlierStudy, sign: float
) -> None:
    studies = tuple(
        replace(s, trials=tuple(replace(t, value=None if t.value is None else sign * t.value) for t in s.trials))
        for s in (odd, replace(mixed(), name="sound"))
    )

    candidate = TransferSampler(MIXED, 1, studies, sign).propose(History(), 1)

    assert MIXED.violations(candidate.assignment) == ()
    assert 2e-4 < number(candidate.assignment, "lr") < 5e-3
