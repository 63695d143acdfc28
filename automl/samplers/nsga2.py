"""NSGA-II for several objectives, in a form without generations: each proposal is a child of the best trials so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.training_data import total_violations
from automl.samplers.history import is_usable
from automl.samplers.pareto import crowding, fronts
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace

_POPULATION = 20
_CROSSOVER_INDEX = 10.0


class Nsga2Sampler(Sampler):
    """Crosses two parents chosen by front and crowding, and mutates the child.

    Args:
        space: What is searched.
        seed: Seed of the study.
        opening: Proposes until there are as many trials with a value as ``opening_trials``.
        opening_trials: See ``opening``.
    """

    def __init__(self, space: SearchSpace, seed: int, opening: Sampler, *, opening_trials: int = 8) -> None:
        self._encoder = Encoder(space)
        self._seed = seed
        self._opening = opening
        self._opening_trials = opening_trials

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return a child of two good trials."""
        usable = [o for o in history.observations if is_usable(o)]
        if len(usable) < self._opening_trials:
            return self._opening.propose(history, number)
        generator = generator_for(self._seed, number)
        values = np.array([o.values for o in usable])
        missed = total_violations(np.array([o.violations for o in usable], dtype=float))
        chosen = survivors(values, missed, _POPULATION)
        points = self._encoder.points([usable[i].assignment for i in chosen])
        # Survivors are in order of fitness, so the smaller of two random places wins a tournament.
        first, second = (int(generator.integers(len(points), size=2).min()) for _ in range(2))
        child = self._mutated(self._crossed(points[first], points[second], generator), generator)
        return Candidate(
            assignment=self._encoder.assignment(self._encoder.snap(child[None, :])[0]), origin=Origin(OriginKind.NSGA2)
        )

    def _crossed(self, first: np.ndarray, second: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return a child by simulated binary crossover; options without an order come from either parent."""
        uniform = generator.random(len(first))
        exponent = 1.0 / (_CROSSOVER_INDEX + 1.0)
        spread = np.where(uniform < 0.5, (2 * uniform) ** exponent, (1 / (2 * (1 - uniform))) ** exponent)  # noqa: PLR2004 - the two halves of the distribution
        blended = 0.5 * ((1 + spread) * first + (1 - spread) * second)
        either = np.where(generator.random(len(first)) < 0.5, first, second)  # noqa: PLR2004 - a fair coin
        ordered = np.array([self._encoder.is_ordered(i) for i in range(len(first))])
        return np.where(ordered, blended, either)

    def _mutated(self, child: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        count = len(child)
        moved = generator.random(count) < 1.0 / count
        steps = generator.normal(0.0, 0.15, count)
        fresh = generator.random(count)
        for i in np.flatnonzero(moved):
            width = self._encoder.step_of(int(i))
            step = np.sign(steps[i]) * max(abs(float(steps[i])), width)
            child[i] = child[i] + step if self._encoder.is_ordered(int(i)) else fresh[i]
        return child


def survivors(values: np.ndarray, missed: np.ndarray, count: int) -> list[int]:
    """Return the indices of the best points, best first: by front, then by crowding within it.

    Points that miss a constraint come after all others, those that miss it by less first.

    Args:
        values: Shape (n, objectives), larger is better.
        missed: By how much constraints are missed, 0 where all are kept, shape (n,).
        count: At most so many.
    """
    keeping = np.flatnonzero(missed <= 0)
    missing = np.flatnonzero(missed > 0)
    ranks = fronts(values[keeping])
    lonely = np.zeros(len(keeping))
    for front in range(int(ranks.max(initial=-1)) + 1):
        members = ranks == front
        lonely[members] = crowding(values[keeping][members])
    order = [*keeping[np.lexsort((-lonely, ranks))], *missing[np.argsort(missed[missing], kind="stable")]]
    return [int(i) for i in order[:count]]
