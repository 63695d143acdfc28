"""Every deliberate error of `depth_net`, with a machine-readable code for the status file.

`depth_net.cli` turns them into one line on stderr, a FAILURE line in `status.json` and exit status 1.
"""

from __future__ import annotations

from typing import ClassVar


class DepthNetError(Exception):
    """Base of every error that `depth_net` raises on purpose. The text states what, where, found, expected and fix."""

    code: ClassVar[str] = "trainer"


class SpecError(DepthNetError):
    """The spec cannot be used: unknown key, wrong type, a value or a combination that cannot train."""

    code = "spec"


class DataError(DepthNetError):
    """Annotation files, images or ground truth cannot be used."""

    code = "data"


class WeightsError(DepthNetError):
    """A checkpoint is missing, of an unknown kind, or does not fit the model."""

    code = "weights"


class TerminatedError(BaseException):
    """SIGTERM was received. Like KeyboardInterrupt no `Exception`, so that only `depth_net.execution` catches it."""


class DivergenceError(DepthNetError):
    """The training loss is not finite.

    Args:
        message: What happened and what to do.
        epoch: Epoch from 0.
        step: Step from 0.
    """

    code = "diverged"

    def __init__(self, message: str, *, epoch: int, step: int) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step
