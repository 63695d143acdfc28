"""The built-in trackers pass the suite that plug-ins pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.testing.trackers import TrackerContract
from automl.tracking.base import TrackerGroup
from automl.tracking.notify import NotifyTracker
from automl.tracking.tensorboard import TensorboardTracker

if TYPE_CHECKING:
    from automl.tracking.base import Tracker


class TestTensorboard(TrackerContract):
    def make(self) -> Tracker:
        return TensorboardTracker()


class TestNotify(TrackerContract):
    def make(self) -> Tracker:
        return NotifyTracker("true")


class TestGroup(TrackerContract):
    def make(self) -> Tracker:
        return TrackerGroup((TensorboardTracker(), NotifyTracker("true")))
