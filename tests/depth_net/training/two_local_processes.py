"""``depth_net`` on a machine that has two processors to train on, as if they were GPUs.

Started as ``python -m tests.depth_net.training.two_local_processes train -e SPEC ...``: Lightning then starts the
second process itself, by the same words, as it does for the second GPU of a machine. With ``RECORDED`` in the
environment the training step is recorded.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

from depth_net.cli import main
from depth_net.training.devices import plan_devices
from tests.depth_net.training.recorded_graph import ProcessorRecorder

if TYPE_CHECKING:
    from depth_net.config.train import TrainConfig
    from depth_net.training.devices import DevicePlan


def plan_two(config: TrainConfig) -> DevicePlan:
    """Return the plan of this machine with two devices."""
    return replace(plan_devices(config), devices=(0, 1))


def choose_recorder(*_arguments: object, **_settings: object) -> ProcessorRecorder | None:
    """Record if the environment says so."""
    return ProcessorRecorder() if "RECORDED" in os.environ else None


if __name__ == "__main__":
    with (
        patch("depth_net.actions.train.plan_devices", plan_two),
        patch("depth_net.actions.train.choose_recorder", choose_recorder),
    ):
        sys.exit(main())
