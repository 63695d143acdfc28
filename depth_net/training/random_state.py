"""The state of PyTorch's random generators, as plain tensors that a checkpoint can hold.

Samples and their order do not depend on it: they come from the seed, the epoch and the row.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_SEEDS = 2**32


def seed_everything(seed: int) -> int:
    """Seed Python, NumPy and PyTorch, and return the seed; a negative one draws a fresh one."""
    if seed < 0:
        seed = random.SystemRandom().randrange(_SEEDS)
    random.seed(seed)
    np.random.seed(seed % _SEEDS)  # noqa: NPY002 - libraries that use the global generator
    torch.manual_seed(seed)
    return seed


def random_state() -> dict[str, Tensor]:
    """Return the state of the processor's generator and of each GPU in use."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_state(states: Mapping[str, Tensor]) -> None:
    """Set the generators to a state from `random_state`; a state of a GPU is ignored without one."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
