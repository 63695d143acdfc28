"""The default sampler: the template, good points of earlier studies, an initial design, then a model of the results.

The first two come from the searcher. The initial design is a short scrambled Sobol sequence. The model is a Gaussian
process; Parzen estimators beyond 300 trials. Where the plan holds what earlier studies measured, a process over all of
them proposes from trial 1 on, as long as they agree with this one.
"""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING

from automl.samplers.gaussian_process.sampler import GaussianProcessSampler
from automl.samplers.gaussian_process.transfer import TransferSampler
from automl.samplers.quasi_random import InitialDesign, initial_design_length
from automl.samplers.registry import LLM_STARTS
from automl.samplers.sampler import Candidate, Sampler
from automl.samplers.searcher import starting_points
from automl.samplers.tpe import TpeSampler
from automl.study.causes import OriginKind
from automl.study.cost import cost_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.samplers.history import History
    from automl.study.earlier import Agreement
    from automl.study.model import StudyPlan

_GP_LIMIT = 300
_TRANSFER_LIMIT = 60
"""By then this study knows more than others can tell it."""
_LIBRARIES = ("scipy.stats", "scipy.optimize", "scipy.linalg", "scipy.special")
_IMPORT_DELAY_S = 1.0


class AutoSampler(Sampler):
    """An initial design, then a Gaussian process, then Parzen estimators."""

    def __init__(self, plan: StudyPlan) -> None:
        super().__init__(plan.space, plan.seed)
        starts = plan.options.get(LLM_STARTS, 0)
        self._llm_starts = starts if isinstance(starts, int) else 0
        self._language_model: Sampler | None = None
        if self._llm_starts:
            from automl.samplers.llm.sampler import LlmSampler  # noqa: PLC0415 - only where it is asked for

            self._language_model = LlmSampler(plan)
        self._design = InitialDesign(plan.space, plan.seed)
        given = len(starting_points(plan)) + self._llm_starts
        self._design_trials = max(initial_design_length(plan.space), given)
        self._uses_model = plan.budget.trials > self._design_trials
        self._model = GaussianProcessSampler.for_plan(plan)
        self._late_model = TpeSampler(plan.space, plan.seed)
        self._transfer: TransferSampler | None = None
        if plan.earlier:
            sign, cost = plan.objectives[0].direction.sign, cost_limit(plan)
            self._transfer = TransferSampler(
                plan.space, plan.seed, plan.earlier, sign, cost=cost, max_epochs=plan.max_epochs
            )

    @classmethod
    def for_plan(cls, plan: StudyPlan) -> AutoSampler:
        """Return the sampler of a study."""
        return cls(plan)

    def _sampler_of(self, history: History, number: int) -> Sampler:
        if self._transfer is not None and number < _TRANSFER_LIMIT and self._transfer.agrees(history):
            return self._transfer
        if number >= self._design_trials:
            return self._model if number < _GP_LIMIT else self._late_model
        asked = sum(o.origin.kind is OriginKind.LLM for o in history.observations)
        return self._language_model if self._language_model and asked < self._llm_starts else self._design

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the next assignment."""
        return self._sampler_of(history, number).propose(history, number)

    def agreement(self, history: History) -> Mapping[str, Agreement] | None:
        """Return how alike each earlier study and this one are so far; None where or from when on none is used."""
        if self._transfer is None or len(history.observations) > _TRANSFER_LIMIT:
            return None
        return self._transfer.agreement(history)

    def is_ready(self, history: History, number: int) -> bool:
        """Tell whether the next assignment is there; only a language model takes time to answer."""
        return self._sampler_of(history, number).is_ready(history, number)

    def prepare(self, history: History) -> None:
        """Let the model compute ahead; import what it needs while the first trial runs."""
        if len(history.observations) == 1 and self._uses_model:
            # It takes a second on an idle machine; what the first trial waits for is imported at the same time.
            timer = threading.Timer(_IMPORT_DELAY_S, _import_libraries)
            timer.daemon = True
            timer.start()
        if self._transfer is not None and len(history.observations) < _TRANSFER_LIMIT:
            self._transfer.prepare(history)
        if self._design_trials <= len(history.observations) < _GP_LIMIT:
            self._model.prepare(history)


def _import_libraries() -> None:
    for library in _LIBRARIES:
        importlib.import_module(library)
