"""A callback for Transformers: ``Trainer(..., callbacks=[ReportCallback()])``.

It reports each evaluation, the training loss and each checkpoint, and ends the training when the study asks for it.
Within a study the Trainer's filter of losses that are not finite is switched off. Outside a study it does nothing.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import TrainerCallback

from automl.reporting import is_in_study, report, should_stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import TrainerControl, TrainerState, TrainingArguments

_TRAINING = ("loss", "grad_norm", "learning_rate")


class ReportCallback(TrainerCallback):
    """Reports to the study that runs this process, from the first rank alone."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Let a loss that is not finite be seen: Transformers would log the mean of the others."""
        del state, control
        if is_in_study():
            args.logging_nan_inf_filter = False

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, object] | None = None,
        **_: object,
    ) -> None:
        """Report the training loss."""
        del args, control
        _report(state, {name: value for name, value in (logs or {}).items() if name in _TRAINING})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, object] | None = None,
        **_: object,
    ) -> None:
        """Report the metrics of an evaluation."""
        del args, control
        _report(state, {name: value for name, value in (metrics or {}).items() if name != "epoch"})

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Report a checkpoint."""
        del control
        folder = Path(args.output_dir or "") / f"checkpoint-{state.global_step}"
        if is_in_study() and state.is_world_process_zero and folder.is_dir():
            report(epoch=_epoch(state), step=state.global_step, checkpoint=folder)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """End a training of one process when asked to."""
        del state
        if args.world_size == 1 and should_stop():
            control.should_training_stop = True

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """End a training of several processes when asked to, all at the same epoch."""
        del state
        if args.world_size > 1 and is_in_study() and _is_asked_of_any(args):
            control.should_training_stop = True


def _report(state: TrainerState, metrics: Mapping[str, object]) -> None:
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    if numbers and is_in_study() and state.is_world_process_zero:
        report(numbers, epoch=_epoch(state), step=state.global_step)


def _epoch(state: TrainerState) -> int:
    """Return the zero-based epoch: the state says how many are done, with their fraction."""
    return max(math.ceil(state.epoch or 0) - 1, 0)


def _is_asked_of_any(args: TrainingArguments) -> bool:
    """Return whether any process has read that the study asks for the end: each reads at another moment."""
    import torch  # noqa: PLC0415 - transformers has imported it

    asked = torch.tensor([int(should_stop())], device=args.device)
    torch.distributed.all_reduce(asked)
    return bool(asked.item())
