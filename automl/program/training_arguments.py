"""What `TrainingArguments` of Transformers takes, as far as it acts on the result: no script has its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.program.constants import name_of
from automl.skill.program import Argument

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator

    from automl.config_files import JsonValue

NAMES = frozenset({"TrainingArguments", "Seq2SeqTrainingArguments"})
_SCHEDULES = ("linear", "cosine", "constant_with_warmup", "polynomial")
_FIELDS: dict[str, JsonValue] = {
    "learning_rate": 5e-5,
    "weight_decay": 0.0,
    "lr_scheduler_type": "linear",
    "max_grad_norm": 1.0,
    "label_smoothing_factor": 0.0,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "num_train_epochs": 3.0,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "seed": 42,
}
"""Its defaults, of Transformers 4.40 to 5."""


def with_training_arguments(name: str, bases: Iterable[ast.ClassDef]) -> Iterator[Argument]:
    """Yield the arguments of `TrainingArguments`, where it is that class or one that is derived from it."""
    if name not in NAMES and not NAMES & {name_of(base) for node in bases for base in node.bases}:
        return
    for field, default in _FIELDS.items():
        choices = _SCHEDULES if field == "lr_scheduler_type" else ()
        yield Argument(path=field, flag=f"--{field}", kind=type(default).__name__, default=default, choices=choices)
    yield Argument(path="output_dir", flag="--output_dir", kind="str")
    yield Argument(path="resume_from_checkpoint", flag="--resume_from_checkpoint", kind="str")
