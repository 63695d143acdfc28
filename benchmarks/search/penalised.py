"""The alternative that was measured against ours: divergence as a bad value instead of a constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.samplers.gaussian_process.sampler import GaussianProcessSampler

if TYPE_CHECKING:
    import numpy as np


class PenalisedSampler(GaussianProcessSampler):
    """Learns a diverged trial as one that is worse than the worst finite one."""

    def _separates(self, finite: np.ndarray) -> bool:
        del finite
        return False
