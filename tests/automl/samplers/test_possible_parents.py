"""The parents are those that Optuna's NSGA-II chooses of all trials, in its order, however they were added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import optuna
from hypothesis import given
from hypothesis import strategies as st
from optuna.samplers.nsgaii._elite_population_selection_strategy import NSGAIIElitePopulationSelectionStrategy
from optuna.trial import TrialState as OptunaState

from automl.samplers.distributions import known_trial, study_in_memory
from automl.samplers.history import Observation
from automl.samplers.possible_parents import PossibleParents, undominated_by_many
from automl.study.causes import Origin, OriginKind
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence

VALUES = st.integers(1, 3).flatmap(
    lambda objectives: st.lists(
        st.tuples(st.tuples(*[st.integers(0, 5).map(float)] * objectives), st.sampled_from([-1.0, -1.0, 0.5, 1.0])),
        min_size=1,
    )
)


@given(VALUES, st.integers(2, 9), st.lists(st.integers(1, 9)))
def test_the_parents_are_those_of_optuna(
    rows: list[tuple[tuple[float, ...], float]], most: int, cuts: list[int]
) -> None:
    trials = observed([values for values, _ in rows], [missed for _, missed in rows])
    parents, rest = PossibleParents(most), trials
    for cut in cuts:
        parents.add(rest[:cut])
        rest = rest[cut:]
    parents.add(rest)

    chosen, missed = parents.chosen()

    assert [trial.number for trial in chosen] == chosen_by_optuna(trials, most)
    assert [by > 0 for by in missed] == [(trial.violations[0] or 0.0) > 0 for trial in chosen]


def test_the_parents_of_a_long_study_are_those_of_optuna() -> None:
    for objectives, levels in ((1, 5), (2, 1000), (2, 30), (3, 1000)):
        values = np.random.default_rng(objectives).integers(levels, size=(900, objectives)).astype(float)
        trials = observed([tuple(row) for row in values.tolist()], [0.0] * 900)
        parents = PossibleParents(20)
        parents.add(trials[:700])
        for trial in trials[700:]:
            parents.add([trial])

        assert [trial.number for trial in parents.chosen()[0]] == chosen_by_optuna(trials, 20)


def test_of_a_long_study_few_trials_are_kept() -> None:
    values = np.random.default_rng(1).random((3000, 2))
    trials = observed([tuple(row) for row in values.tolist()], [0.0] * 3000)
    parents = PossibleParents(20)

    parents.add(trials)

    assert len(parents) < 200
    assert len(undominated_by_many(values, 20)) > len(parents)


def observed(values: Sequence[tuple[float, ...]], missed: Sequence[float]) -> list[Observation]:
    """Return ended trials."""
    return [
        Observation(
            number=number,
            assignment={"x": 0.0, "y": 0.0},
            origin=Origin(OriginKind.RANDOM),
            state=TrialState.COMPLETED,
            values=row,
            violations=(by,),
            finished_as=number,
        )
        for number, (row, by) in enumerate(zip(values, missed, strict=True))
    ]


def chosen_by_optuna(trials: Sequence[Observation], most: int) -> list[int]:
    """Return the numbers of the trials that Optuna's own selection takes of all."""
    frozen = [
        known_trial(OptunaState.COMPLETE, values=list(trial.values), constraints={"missed": trial.violations[0]})
        for trial in trials
    ]
    study = study_in_memory(optuna.samplers.RandomSampler, frozen, len(trials[0].values))
    select = NSGAIIElitePopulationSelectionStrategy(population_size=most)
    return [trial.number for trial in select(study, study.get_trials(deepcopy=False))]
