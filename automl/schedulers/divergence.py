"""When a training has diverged: a pure rule over its measurements.

Only the training loss and the objective are watched. A validation loss may be NaN while training is healthy (relative
depth data), and a trainer's exit status proves nothing: it is 0 with NaN losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.study.trial import Measurement

TRAINING_LOSSES: tuple[str, ...] = ("train_loss", "train/loss", "training_loss", "train_loss_epoch", "loss")
"""Names under which trainers report their training loss; ``val_loss`` and ``val/loss`` are none of them."""

# A loss that grows to a thousand times the largest one of its first epochs does not come back.
EXPLOSION_FACTOR = 1e3
# Any loss of this size is an explosion, also in the first report.
ABSURD_LOSS = 1e12


def check(
    measurement: Measurement,
    *,
    objective: str,
    watched: Sequence[str] = TRAINING_LOSSES,
    history: Sequence[Measurement] = (),
    explosion: bool = True,
) -> str | None:
    """Return why the training has diverged, or None while it has not.

    Args:
        measurement: The newest report.
        objective: Name of the leading objective.
        watched: Names of the training loss.
        history: The trial's earlier reports, in their order.
        explosion: Also judge a finite training loss by its growth.
    """
    when = "before the first epoch" if measurement.epoch is None else f"in epoch {measurement.epoch + 1}"
    for name in dict.fromkeys((*watched, objective)):
        if name in measurement.nonfinite:
            return f"{name} is {measurement.nonfinite[name]} {when}"
    if not explosion:
        return None
    for name in watched:
        value = measurement.values.get(name)
        if value is None or name == objective:
            continue
        earlier = [abs(m.values[name]) for m in history if name in m.values and m is not measurement]
        if abs(value) >= ABSURD_LOSS:
            return f"{name} is {value:.3g} {when}"
        if earlier and value > EXPLOSION_FACTOR * max(*earlier, 1e-3):
            return f"{name} grew from at most {max(earlier):.3g} to {value:.3g} {when}"
    return None
