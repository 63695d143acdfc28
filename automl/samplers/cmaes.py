"""CMA-ES: a normal distribution that moves and stretches towards good points; for many trials on continuous spaces.

The state is replayed from the history for every proposal: trials that ended, in their order, form the generations. The
distribution starts at the template. Discrete parameters are rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.training_data import learn
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace

_FIRST_STEP = 0.25
_LARGEST_STEP = 1.0


class CmaEsSampler(Sampler):
    """Draws from the distribution that all full generations so far have shaped.

    Args:
        space: What is searched.
        seed: Seed of the study.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._encoder = Encoder(space)
        self._seed = seed

    def propose(self, history: History, number: int) -> Candidate:
        """Return a draw from the current distribution."""
        lesson = learn(history)
        points, fitness = self._encoder.points(lesson.assignments), lesson.fitness
        strategy = Strategy.for_dimensions(self._encoder.dimensions)
        state = State.at(self._encoder.default_point)
        size = strategy.population
        for generation in range(len(points) // size):
            chosen = slice(generation * size, (generation + 1) * size)
            order = np.argsort(-fitness[chosen], kind="stable")
            state = strategy.step(state, points[chosen][order])
        noise = generator_for(self._seed, number).normal(size=self._encoder.dimensions)
        point = state.mean + state.step * (state.root @ noise)
        return Candidate(
            assignment=self._encoder.assignment(self._encoder.snap(point[None, :])[0]), origin=Origin(OriginKind.CMAES)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A normal distribution and the two paths that adapt it.

    Attributes:
        mean: Centre, shape (d,).
        step: Overall standard deviation, > 0.
        covariance: Shape (d, d), positive definite.
        step_path: Evolution path of the step, shape (d,).
        shape_path: Evolution path of the covariance, shape (d,).
        generation: Generations so far.
    """

    mean: np.ndarray
    step: float
    covariance: np.ndarray
    step_path: np.ndarray
    shape_path: np.ndarray
    generation: int

    @classmethod
    def at(cls, point: np.ndarray) -> State:
        """Return the first distribution around a point."""
        zero = np.zeros(len(point))
        return cls(
            mean=point,
            step=_FIRST_STEP,
            covariance=np.eye(len(point)),
            step_path=zero,
            shape_path=zero,
            generation=0,
        )

    @property
    def root(self) -> np.ndarray:
        """The symmetric square root of the covariance."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.asarray((vectors * np.sqrt(np.maximum(values, 1e-12))) @ vectors.T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """The constants of CMA-ES for a number of parameters.

    Source: Hansen 2016, The CMA Evolution Strategy: A Tutorial (arXiv:1604.00772), table 1, without negative weights.
    """

    population: int
    weights: np.ndarray
    effective: float
    step_rate: float
    step_damping: float
    path_rate: float
    rank_one: float
    rank_mu: float
    expected_length: float

    @classmethod
    def for_dimensions(cls, dimensions: int) -> Strategy:
        """Return the constants for ``dimensions`` >= 1 parameters."""
        d = float(max(dimensions, 1))
        population = 4 + int(3 * math.log(d))
        parents = population // 2
        raw = np.log((population + 1) / 2) - np.log(np.arange(1, parents + 1))
        weights = raw / raw.sum()
        mu = float(1 / np.sum(weights**2))
        step_rate = (mu + 2) / (d + mu + 5)
        rank_one = 2 / ((d + 1.3) ** 2 + mu)
        return cls(
            population=population,
            weights=weights,
            effective=mu,
            step_rate=step_rate,
            step_damping=1 + 2 * max(0.0, math.sqrt((mu - 1) / (d + 1)) - 1) + step_rate,
            path_rate=(4 + mu / d) / (d + 4 + 2 * mu / d),
            rank_one=rank_one,
            rank_mu=min(1 - rank_one, 2 * (mu - 2 + 1 / mu) / ((d + 2) ** 2 + mu)),
            expected_length=math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d)),
        )

    def step(self, state: State, ranked: np.ndarray) -> State:
        """Return the distribution after a generation.

        Args:
            state: Before it.
            ranked: The points of the generation, best first, shape (population, d).
        """
        moves = (ranked[: len(self.weights)] - state.mean) / state.step
        shift = self.weights @ moves
        values, vectors = np.linalg.eigh(state.covariance)
        whitened = vectors @ ((vectors.T @ shift) / np.sqrt(np.maximum(values, 1e-12)))
        keep = 1 - self.step_rate
        step_path = (
            keep * state.step_path + math.sqrt(self.step_rate * (2 - self.step_rate) * self.effective) * whitened
        )
        length = float(np.linalg.norm(step_path))
        settled = math.sqrt(1 - keep ** (2 * (state.generation + 1)))
        is_short = length / settled < (1.4 + 2 / (len(shift) + 1)) * self.expected_length
        gain = math.sqrt(self.path_rate * (2 - self.path_rate) * self.effective) if is_short else 0.0
        shape_path = (1 - self.path_rate) * state.shape_path + gain * shift
        covariance = (
            (1 - self.rank_one - self.rank_mu) * state.covariance
            + self.rank_one * np.outer(shape_path, shape_path)
            + self.rank_mu * (moves.T * self.weights) @ moves
        )
        growth = math.exp(self.step_rate / self.step_damping * (length / self.expected_length - 1))
        return State(
            mean=np.clip(state.mean + state.step * shift, 0.0, 1.0),
            step=min(state.step * growth, _LARGEST_STEP),
            covariance=(covariance + covariance.T) / 2,
            step_path=step_path,
            shape_path=shape_path,
            generation=state.generation + 1,
        )
