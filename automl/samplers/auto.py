"""The default sampler: the template, good points of earlier studies, an initial design, then a model of the results.

The first two come from the searcher. The initial design is a few points near the template and a short scrambled Sobol
sequence. The model is a Gaussian process; Parzen estimators beyond 300 trials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.errors import Problem
from automl.samplers.gaussian_process.sampler import GaussianProcessSampler
from automl.samplers.importing import import_ahead
from automl.samplers.llm.chat import LLM_STARTS
from automl.samplers.quasi_random import InitialDesign
from automl.samplers.sampler import Candidate, Sampler
from automl.samplers.tpe import TpeSampler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace
    from automl.study.model import StudyPlan

_GP_LIMIT = 300
_LIBRARIES = ("scipy.stats", "scipy.optimize", "scipy.linalg", "scipy.special")
_IMPORT_DELAY_S = 1.0


class AutoSampler(Sampler):
    """An initial design, then a Gaussian process, then Parzen estimators.

    Args:
        plan: The study.
        given: How many trials are proposed before the sampler is asked for the first time.
    """

    def __init__(self, plan: StudyPlan, given: int) -> None:
        super().__init__(plan.space, plan.seed)
        design: Sampler = InitialDesign(plan.space, plan.seed)
        starts = plan.options.get(LLM_STARTS, 0)
        if isinstance(starts, int) and starts:
            from automl.samplers.llm.sampler import LlmInitialDesign, LlmSampler  # noqa: PLC0415 - only where it is asked for

            design = LlmInitialDesign(LlmSampler(plan), starts, design)
            given += starts
        self._design = design
        self._design_trials = max(initial_design_length(plan.space), given)
        self._model = GaussianProcessSampler.for_plan(plan, given)
        self._late_model = TpeSampler(plan.space, plan.seed)

    @classmethod
    def for_plan(cls, plan: StudyPlan, given: int) -> AutoSampler:
        """Return the sampler of a study."""
        return cls(plan, given)

    @classmethod
    def asks_language_model(cls, options: Mapping[str, object]) -> bool:
        """Tell whether a language model proposes the first trials."""
        return bool(options.get(LLM_STARTS))

    @classmethod
    def check(cls, options: Mapping[str, object]) -> tuple[Problem, ...]:
        """Return what is wrong with ``llm_starts``, or missing for it in the environment."""
        starts = options.get(LLM_STARTS, 0)
        if not isinstance(starts, int) or isinstance(starts, bool) or starts < 0:
            expected = "a number of trials that a language model proposes, at least 0"
            return (Problem(where=f"options.{LLM_STARTS}", found=repr(starts), expected=expected, fix="correct it"),)
        return super().check(options)

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the next assignment."""
        if number < self._design_trials:
            return self._design.propose(history, number)
        return (self._model if number < _GP_LIMIT else self._late_model).propose(history, number)

    def is_ready(self, history: History, number: int) -> bool:
        """Tell whether the next assignment is there; only a language model takes time to answer."""
        return number >= self._design_trials or self._design.is_ready(history, number)

    def prepare(self, history: History) -> None:
        """Let the model compute ahead; import what it needs while the first trial runs."""
        if len(history.observations) == 1:
            # It takes a second on an idle machine; what the first trial waits for is imported at the same time.
            import_ahead(*_LIBRARIES, delay_s=_IMPORT_DELAY_S)
        if self._design_trials <= len(history.observations) < _GP_LIMIT:
            self._model.prepare(history)


def initial_design_length(space: SearchSpace) -> int:
    """Return how many trials come before the model, the template included: half the parameters plus 2, from 4 to 8."""
    return min(max(len(space.parameters) // 2 + 2, 4), 8)
