"""The sampler's contract: from a history to the next assignment.

A sampler is a function of (space, seed, trial number, history): the same four give the same assignment, in any process.
It keeps nothing between calls but caches that can be recomputed. `automl.samplers.searcher` numbers the trials, keeps
the journal and replaces duplicates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.samplers.history import History
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar
    from automl.study.causes import Origin
    from automl.study.earlier import Agreement
    from automl.study.model import StudyPlan


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a sampler proposes.

    Attributes:
        assignment: Valid in the space.
        origin: Which part of the sampler made it.
    """

    assignment: Mapping[str, Scalar]
    origin: Origin


class Sampler(ABC):
    """Proposes one assignment at a time."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._seed = seed

    @classmethod
    def for_plan(cls, plan: StudyPlan) -> Sampler:
        """Return the sampler of a study."""
        return cls(plan.space, plan.seed)

    @abstractmethod
    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the assignment of trial ``number``, or None when there is nothing left to try."""

    def is_ready(self, history: History, number: int) -> bool:
        """Tell whether `propose` answers at once; where it does not, begin in the background what the answer takes."""
        del history, number
        return True

    def agreement(self, history: History) -> Mapping[str, Agreement] | None:
        """Return how alike each earlier study and this one are so far, by the study's name.

        Those that are dropped are not in it. None where there are none, or this study knows more than they.
        """
        del history
        return None

    def prepare(self, history: History) -> None:
        """Compute ahead what the next proposal needs and can be known while a trial runs. It changes no proposal."""


def generator_for(seed: int, number: int, purpose: int = 0) -> np.random.Generator:
    """Return the random generator of one trial; trials and purposes are independent of each other.

    Args:
        seed: The study's seed; any integer.
        number: The trial's number, >= 0.
        purpose: Distinguishes several generators of one trial.
    """
    return np.random.default_rng([abs(seed), int(seed < 0), number, purpose])
