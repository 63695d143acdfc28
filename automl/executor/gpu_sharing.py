"""How many trials share one GPU: as many as the memory holds that the first trial was seen to need.

Ray packs trials by the fraction they ask for and knows nothing of memory. So on this machine the devices are given out
here: until a trial has finished an epoch, one trial runs on each GPU; then as many as its peak, with a tenth of the
memory to spare, and as the fraction allow. A later trial that needs more lowers the number for those to come. On a
cluster, whose GPUs cannot be asked from here, the fraction alone decides.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from automl.machine import query_gpus_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from automl.machine import Gpu
    from automl.study.model import StudyLocation, StudyPlan

USABLE_SHARE = 0.9
_SAMPLE_INTERVAL_S = 1.0


class GpuSharing:
    """Gives out the GPUs of this machine to trials that ask for a fraction of one, above 0."""

    def __init__(self, fraction: float, query: Callable[[], Sequence[Gpu]] = query_gpus_now) -> None:
        self._most = int(1 / fraction + 1e-9)
        self._query = query
        self._lock = threading.Lock()
        # As they were before any trial.
        self._gpus = {str(gpu.index): gpu for gpu in query()}
        self._trials: dict[str, set[int]] = {device: set() for device in self._gpus}
        self._peak_gib = 0.0
        self._is_known = False
        self._sampled_s = float("-inf")

    @property
    def has_devices(self) -> bool:
        """There is something to give out."""
        return bool(self._gpus)

    def place(self, number: int) -> str | None:
        """Return the device of a trial that starts now, the emptiest one; None while there is room on none."""
        with self._lock:
            device = min(self._trials, key=lambda name: (len(self._trials[name]), name))
            if len(self._trials[device]) >= self._room_on(device):
                return None
            self._trials[device].add(number)
            return device

    def release(self, number: int) -> None:
        """Note that a trial has ended."""
        with self._lock:
            for trials in self._trials.values():
                trials.discard(number)

    def finished_epoch(self) -> None:
        """Note that a trial has finished an epoch: what was seen by then is what a trial needs."""
        if not self._is_known:
            self.sample(at_once=True)
            self._is_known = True

    def sample(self, *, at_once: bool = False) -> None:
        """Look at the memory; to be called often, looks every second."""
        now_s = time.monotonic()
        if not at_once and now_s < self._sampled_s + _SAMPLE_INTERVAL_S:
            return
        self._sampled_s = now_s
        used = {str(gpu.index): gpu.used_gib for gpu in self._query()}
        with self._lock:
            for device, trials in self._trials.items():
                if trials and device in used:
                    each = (used[device] - self._gpus[device].used_gib) / len(trials)
                    self._peak_gib = max(self._peak_gib, each)

    def _room_on(self, device: str) -> int:
        if not self._is_known:
            return 1
        if self._peak_gib <= 0:
            return self._most
        usable_gib = USABLE_SHARE * self._gpus[device].memory_gib - self._gpus[device].used_gib
        return max(1, min(self._most, int(usable_gib / self._peak_gib)))


def sharing_of(plan: StudyPlan, location: StudyLocation) -> GpuSharing:
    """Return who gives out the GPUs of a study: none where trials have whole ones, or on a cluster."""
    fraction = plan.resources.gpus_per_trial
    return GpuSharing(fraction) if 0 < fraction < 1 and location.ray_address is None else GpuSharing(1.0, tuple)
