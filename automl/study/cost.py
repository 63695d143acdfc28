"""What an improvement is weighed by: the trial, its time or its GPU hours; and how much of that a study may spend.

Where time or GPU hours are what ends a study, a trial that takes twice as long has to be worth twice as much. Towards
the end of the budget its length counts less and less: nothing else is left to spend it on.

Source: cost cooling, Lee et al. 2020 (arXiv:2003.10870).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.request.policy import Route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.study.model import StudyPlan

_SECONDS_PER_HOUR = 3600.0
UNWEIGHED = frozenset({"tpe", "cmaes", "nsga2", "qmc", "random", "grid", "llm"})
"""The samplers that weigh no improvements."""


class ObjectivePer(StrEnum):
    """What one unit of the budget is."""

    TRIAL = "trial"
    TIME = "time"
    GPU_HOURS = "gpu_hours"


WEIGHED: Mapping[ObjectivePer, str] = MappingProxyType(
    {
        ObjectivePer.TRIAL: "",
        ObjectivePer.TIME: ", improvements weighed by the time of a trial",
        ObjectivePer.GPU_HOURS: ", improvements weighed by the GPU hours of a trial",
    }
)
"""What a plan and a report say of it behind the sampler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLimit:
    """What the trials of a study may take.

    Attributes:
        trials: Most trials.
        seconds: Most seconds of all trials together; None where nothing limits them.
    """

    trials: int
    seconds: float | None = None

    def exponent(self, number: int, spent_s: float, durations: Sequence[float]) -> float:
        """Return the power of its duration that an improvement is divided by, from 0 to 1.

        It is the share of the budget that is left; 0 where the number of trials is what will end the study.

        Args:
            number: Trials that were proposed before.
            spent_s: Seconds that the ended ones took.
            durations: Seconds of full trainings, at least one.
        """
        left = max(self.trials - number, 0)
        if self.seconds is None:
            return left / self.trials
        left_s = max(self.seconds - spent_s, 0.0)
        return 0.0 if left * median(durations) <= left_s else left_s / self.seconds


def objective_per(plan: StudyPlan) -> ObjectivePer:
    """Return what improvements are weighed by: what was asked for, else the budget that the study has.

    Without GPUs the GPU hours of a trial are its time.
    """
    has_gpus = plan.resources.gpus_per_trial > 0
    if plan.sampler in UNWEIGHED or plan.route is not Route.TUNE:
        return ObjectivePer.TRIAL
    if plan.objective_per is not None:
        asked = ObjectivePer(plan.objective_per)
        return ObjectivePer.TIME if asked is ObjectivePer.GPU_HOURS and not has_gpus else asked
    if plan.budget.time_s is not None:
        return ObjectivePer.TIME
    return ObjectivePer.GPU_HOURS if has_gpus and plan.budget.gpu_hours is not None else ObjectivePer.TRIAL


def cost_limit(plan: StudyPlan) -> CostLimit | None:
    """Return the limit that decides how much the duration of a trial counts; None where it does not."""
    kind, budget, resources = objective_per(plan), plan.budget, plan.resources
    if kind is ObjectivePer.TRIAL:
        return None
    limits = []
    if budget.time_s is not None:
        limits.append(budget.time_s * resources.jobs)
    if budget.gpu_hours is not None and resources.gpus_per_trial > 0:
        limits.append(budget.gpu_hours * _SECONDS_PER_HOUR / resources.gpus_per_trial)
    return CostLimit(trials=budget.trials, seconds=min(limits, default=None))
