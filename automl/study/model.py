"""What a study is before it runs: objective, budget, resources and the frozen plan.

A `StudyPlan` is everything `execute_study` needs and everything a resume compares. It is built by `automl.study.plan`,
written to `plan.json` and never changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.study.causes import Origin, OriginKind
from automl.study.launch_plan import LaunchPlan
from automl.study.objectives import wanted_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.plugins import Plugin
    from automl.request.policy import PolicyDecision, Route
    from automl.skill.model import JsonValue, Skill
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar
    from automl.spec.model import Spec
    from automl.study.earlier import EarlierStudy
    from automl.study.objectives import Constraint, Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a study ends; None is no limit.

    Attributes:
        trials: Number of trials to start, at least 1.
        time_s: No trial is started after this many seconds, and running ones are stopped.
        gpu_hours: Sum over trials of elapsed hours times GPUs.
        target: The study ends when the objective reaches it.
        patience_trials: The study ends after this many finished trials without improvement.
        min_improvement: The search ends when no further trial is expected to improve the objective so much.
    """

    trials: int
    time_s: float | None = None
    gpu_hours: float | None = None
    target: float | None = None
    patience_trials: int | None = None
    min_improvement: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What each trial gets.

    Attributes:
        jobs: Trials that run at once.
        gpus_per_trial: GPUs of one trial; below 1 several trials share one.
        threads_per_trial: Value of OMP_NUM_THREADS and friends inside a trial.
    """

    jobs: int
    gpus_per_trial: float = 0.0
    cpus_per_trial: float = 1.0
    threads_per_trial: int = 1
    nodes_per_trial: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyParts:
    """What is known before the plan is made; the space is ignored when training once, the first objective leads."""

    skill: Skill
    decision: PolicyDecision
    spec: Spec
    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    launch: LaunchPlan = field(default_factory=LaunchPlan)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """A study, decided to the last value, before anything runs.

    Attributes:
        name: The study's name: name of its directory.
        route: Tune, or train once.
        reasons: Every reason for the route, in order.
        action: The action that is run, ``train``.
        spec: The merged spec without trial values and without an output directory: what trial 0 runs.
        space: What is searched; empty when training once.
        objectives: At least one; the first leads the leaderboard.
        seed: Seed of the sampler and of nothing else (the trainer's seed is in the spec).
        max_epochs: Epochs of a full trial, where the spec says.
        first_trials: Assignments known before the start; trial 0 first.
        first_origins: Where each of them comes from; may be shorter.
        earlier: What earlier studies measured, for a sampler that learns from them; empty where there are too few.
        constraints: What the best trial must keep.
        evaluate_with: Command that measures more of a trained trial, with its placeholders; None for none.
        objective_per: What improvements are weighed by, where the user says: trial, time or gpu_hours; see
            `automl.study.cost`.
        replicates: So many of the best trials are trained again with other seeds, and the best mean wins; 0 for none.
        race: The worse half of those is left out after each seed; see `automl.study.race`.
        seed_key: Key of the spec that holds the trainer's seed, where there are replicates.
        options: Further settings of sampler and stopping rule by name, e.g. ``grace_epochs``.
        fingerprint: SHA-256 over everything that changes what is computed.
        experiment: Name of the MLflow experiment.
        model: Name of the registered model.
        plugins: What of it other distributions bring.
    """

    name: str
    route: Route
    reasons: tuple[str, ...]
    skill: Skill
    action: str
    spec: Spec
    space: SearchSpace
    objectives: tuple[Objective, ...]
    budget: Budget
    resources: Resources
    sampler: str
    scheduler: str
    seed: int
    max_epochs: int | None
    first_trials: tuple[Mapping[str, Scalar], ...]
    first_origins: tuple[Origin, ...] = ()
    earlier: tuple[EarlierStudy, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    evaluate_with: str | None = None
    objective_per: str | None = None
    replicates: int = 0
    race: bool = False
    seed_key: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    launch: LaunchPlan = field(default_factory=LaunchPlan)
    fingerprint: str = ""
    experiment: str = ""
    model: str = ""
    plugins: tuple[Plugin, ...] = ()

    @property
    def objective(self) -> Objective:
        """The primary objective."""
        return self.objectives[0]

    @property
    def origin(self) -> Origin:
        """Where trial 0 comes from."""
        return self.first_origins[0] if self.first_origins else Origin(OriginKind.TEMPLATE)

    @property
    def wanted_metrics(self) -> tuple[str, ...]:
        """See `automl.study.objectives.wanted_metrics`."""
        return wanted_metrics(self.objectives, self.constraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyLocation:
    """Where a study lives and what it reports to.

    Attributes:
        directory: The study directory, absolute.
        ray_address: Address of a Ray cluster; None for a local one.
        session: Unguessable name under which this process shares a preloaded trainer with the trials; None for one that
            ends with them.
    """

    directory: Path
    tracking_uri: str
    ray_address: str | None = None
    session: str | None = None
