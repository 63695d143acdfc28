"""What is done in the background while trials run: fitting kernels, waiting for an answer."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from automl.errors import AutomlError
from automl.samplers.gaussian_process.regression import fit_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from automl.samplers.gaussian_process.regression import Kernel, Prior
    from automl.samplers.history import History

Result = TypeVar("Result")


class _Worker:
    """One thread of this process that runs calls in their order; it does not outlive the process.

    Starting a thread waits until it runs, which takes milliseconds on a busy machine; handing it a call does not.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, call: Callable[[], object]) -> None:
        """Run a call in the background; what it raises is lost, and shows when its result is asked for."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="automl-ahead", daemon=True)
                self._thread.start()
        self._calls.put(call)

    def _work(self) -> None:
        while True:
            self._calls.get()()


_WORKER = _Worker()


class Background(Generic[Result]):
    """One call in a thread of its own, which the end of the process does not wait for.

    Args:
        function: May raise an `AutomlError`.
    """

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._results: list[Result] = []
        self._errors: list[AutomlError] = []
        self._thread = threading.Thread(target=self._call, name="automl-background", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """The call has ended, well or not."""
        return not self._thread.is_alive()

    def result(self) -> Result:
        """Wait for the end of the call and return what it returned.

        Raises:
            AutomlError: the call raised it.
        """
        self._thread.join()
        if self._errors:
            raise self._errors[0]
        # Whatever else broke the thread is raised here, where somebody sees it.
        return self._results[0] if self._results else self._function()

    def _call(self) -> None:
        try:
            self._results.append(self._function())
        except AutomlError as error:
            self._errors.append(error)


class Latest:
    """Runs a function in the background on the latest argument it was given; older ones that wait are skipped.

    Args:
        function: Must not raise.
    """

    def __init__(self, function: Callable[[History], None]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._wanted: History | None = None

    def begin(self, history: History) -> None:
        """Let the function run on a history."""
        with self._lock:
            is_new, self._wanted = self._wanted is None, history
        if is_new:
            _WORKER.run(self._run)

    def _run(self) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._function(wanted)


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
