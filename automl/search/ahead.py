"""What is done in the background while trials run: importing libraries and fitting kernels."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING

from automl.search.gaussian_process import fit_kernel

if TYPE_CHECKING:
    import numpy as np

    from automl.search.gaussian_process import Kernel, Prior


def import_ahead(*modules: str) -> threading.Thread:
    """Import modules in the background, so that no free slot waits for it; return the thread that does."""
    thread = threading.Thread(
        target=lambda: [importlib.import_module(module) for module in modules], name="automl-import", daemon=True
    )
    thread.start()
    return thread


class AheadKernels:
    """Remembers the last kernels by the data they were fitted to; a kernel is the same whoever asks for it first.

    Args:
        groups: For each feature column, the index of its parameter.
        prior: Of the kernel's parameters.
    """

    def __init__(self, groups: np.ndarray, prior: Prior) -> None:
        self._groups = groups
        self._prior = prior
        self._lock = threading.Lock()
        self._kept: dict[bytes, Kernel] = {}

    def begin(self, features: np.ndarray, values: np.ndarray, noise: np.ndarray) -> None:
        """Begin to fit a kernel in the background; the thread does not outlive the process."""
        threading.Thread(target=self.fitted, args=(features, values, noise), name="automl-kernel", daemon=True).start()

    def fitted(self, features: np.ndarray, values: np.ndarray, noise: np.ndarray) -> Kernel:
        """Return the kernel for some data: at once if it has been fitted, after the running fit if there is one.

        Args:
            features: Shape (n, columns).
            values: Scores, shape (n,).
            noise: Factor on the noise of each, shape (n,).
        """
        key = features.tobytes() + values.tobytes() + noise.tobytes()
        with self._lock:
            if key not in self._kept:
                kernel = fit_kernel(features, values, noise, self._groups, self._prior)
                # Two are enough: the one in use and the one for the next proposal.
                self._kept = {**dict(list(self._kept.items())[-1:]), key: kernel}
            return self._kept[key]
