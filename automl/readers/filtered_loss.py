"""The training loss that Transformers hides: with its ``logging_nan_inf_filter``, which is on, NaN is logged as 0.

The norm of the gradient is then NaN too. An overflow of half precision has such a norm, but a loss that is not 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GRADIENT = "grad_norm"
_LOSS = "loss"


def hidden_losses(numbers: Mapping[str, object]) -> dict[str, str]:
    """Return the training losses among numbers and `number_of` texts that were NaN: name -> ``nan``."""
    pairs = [(name, name.removesuffix(_LOSS) + GRADIENT) for name in numbers if name.endswith(_LOSS)]
    return {loss: "nan" for loss, norm in pairs if numbers[loss] == 0 and numbers.get(norm) == "nan"}
