"""``depth_net`` on a machine that has two processors to train on, as if they were GPUs.

Started as ``python -m tests.depth_net.training.two_local_processes train -e SPEC ...``: Lightning then starts the
second process itself, by the same words, as it does for the second GPU of a machine.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

from depth_net.cli import main
from depth_net.training.devices import plan_devices

if TYPE_CHECKING:
    from depth_net.config.train import TrainConfig
    from depth_net.training.devices import DevicePlan


def plan_two(config: TrainConfig) -> DevicePlan:
    """Return the plan of this machine with two devices."""
    return replace(plan_devices(config), devices=(0, 1))


if __name__ == "__main__":
    with patch("depth_net.actions.train.plan_devices", plan_two):
        sys.exit(main())
