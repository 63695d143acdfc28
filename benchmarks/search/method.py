"""What every compared method can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Method(ABC):
    """Asks for assignments and observes values; larger is better."""

    @abstractmethod
    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return a handle and an assignment."""

    @abstractmethod
    def tell(self, handle: Any, value: float | None, *, is_stopped: bool = False) -> None:  # noqa: ANN401 - each peer has its own handle
        """Learn a value, or None for a diverged trial."""

    def observe(self, handle: Any, epoch: int, value: float) -> None:  # noqa: ANN401
        """Learn an intermediate value, where the method can."""
