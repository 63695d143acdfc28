"""Why a study ends and why a trial is stopped: data that are stored and compared; the sentences are made here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from automl.errors import counted


class EndKind(StrEnum):
    """Why no further trial of a study is started."""

    ALL_ENDED = "all_ended"
    SPACE_EXHAUSTED = "space_exhausted"
    TARGET = "target"
    PATIENCE = "patience"
    IMPROVEMENT = "improvement"
    TIME = "time"
    GPU_HOURS = "gpu_hours"
    USER = "user"
    """`automl stop STUDY`."""
    IDENTICAL_ERRORS = "identical_errors"
    DISK = "disk"
    SIGNAL = "signal"
    """Ctrl-C or SIGTERM."""
    RAY_LOST = "ray_lost"
    ERROR = "error"
    """A deliberate error of ours ended the process."""
    UNKNOWN = "unknown"
    """Written by a version that stored sentences."""


_CUT_OFF = frozenset({EndKind.DISK, EndKind.SIGNAL, EndKind.RAY_LOST, EndKind.ERROR})
_CONTINUABLE = frozenset({EndKind.USER, EndKind.IDENTICAL_ERRORS})
_ON_REQUEST = "stopped on request"
_SENTENCES = {
    EndKind.ALL_ENDED: "all trials have ended ({end.amount:g})",
    EndKind.SPACE_EXHAUSTED: "the search space is exhausted",
    EndKind.TARGET: "the target {end.amount:g} of {end.metric} is reached",
    EndKind.IMPROVEMENT: "no further trial is expected to improve {end.metric} by more than {end.amount:.2g}, "
    "and {end.bound:g} is asked for",
    EndKind.TIME: "the time budget of {end.amount:g} s is used up",
    EndKind.GPU_HOURS: "the budget of {end.amount:g} GPU hours is used up",
    EndKind.IDENTICAL_ERRORS: "{end.amount:g} trials in a row failed for the same reason: {end.detail}",
    EndKind.SIGNAL: "Ctrl-C or SIGTERM",
    EndKind.RAY_LOST: "a server process of Ray was killed",
    EndKind.DISK: "{end.detail}",
    EndKind.ERROR: "{end.detail}",
    EndKind.UNKNOWN: "{end.detail}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReason:
    """Why no further trial is started.

    Attributes:
        amount: The limit, target, count or estimate that was reached, where the kind has one.
        bound: For `EndKind.IMPROVEMENT`, the improvement that was asked for.
        metric: The objective, where the kind names it.
        detail: Text from outside: the user's reason, the trainer's root cause, the figures of a full disk.
    """

    kind: EndKind
    amount: float = 0.0
    bound: float = 0.0
    metric: str = ""
    detail: str = ""

    @property
    def is_cut_off(self) -> bool:
        """The study has not ended: a resume continues it."""
        return self.kind in _CUT_OFF

    @property
    def may_continue(self) -> bool:
        """A resume continues the study although it ended: the user or errors ended it."""
        return self.kind in _CONTINUABLE

    def __str__(self) -> str:
        match self.kind:
            case EndKind.USER:
                return self.detail or _ON_REQUEST
            case EndKind.PATIENCE:
                return f"{counted(int(self.amount), 'finished trial')} brought no improvement of {self.metric}"
            case _:
                return _SENTENCES[self.kind].format(end=self)


class StopKind(StrEnum):
    """Who stops a trial."""

    SCHEDULER = "scheduler"
    PAUSE = "pause"
    """The scheduler, which may promote the trial later."""
    STUDY = "study"
    """The study starts no further trial and stops those that run."""
    USER = "user"
    """`automl stop STUDY --trial N`."""
    INTERRUPTED = "interrupted"
    """The study is interrupted; a resume continues the trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCause:
    """Why a trial is stopped before its own end.

    Attributes:
        detail: The scheduler's comparison or the user's reason.
        end: Why the study ends or is interrupted; None for other kinds.
        last_epoch: Zero-based epoch after which the decision was taken: what the trainer measures while it is being
            ended does not count, so the same decision gives the same result. None counts everything.
    """

    kind: StopKind
    detail: str = ""
    end: EndReason | None = None
    last_epoch: int | None = None

    @property
    def may_continue(self) -> bool:
        """The trial is not over: it is INTERRUPTED until it is promoted or resumed."""
        return self.kind in {StopKind.PAUSE, StopKind.INTERRUPTED}

    def __str__(self) -> str:
        match self.kind:
            case StopKind.SCHEDULER:
                return self.detail
            case StopKind.PAUSE:
                return f"paused: {self.detail}"
            case StopKind.STUDY:
                return str(self.end)
            case StopKind.USER:
                return self.detail or _ON_REQUEST
            case StopKind.INTERRUPTED:
                is_signal = self.end is None or self.end.kind is EndKind.SIGNAL
                return "interrupted by the user" if is_signal else f"interrupted: {self.end}"
