"""Decide whether to search or to train once.

One pure function over a decision table. The policy is an argument of a run: it is never written into a spec and never
changes a skill.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Route(StrEnum):
    """What the policy decided."""

    TUNE = "tune"
    TRAIN_ONCE = "train_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDecision:
    """The route and why.

    Attributes:
        route: Tune, or train once.
        reasons: Every reason, most important first; shown in plan, run and record.
        warnings: What the user should know and may not expect.
    """

    route: Route
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
