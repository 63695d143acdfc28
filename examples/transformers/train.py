"""A tiny Transformer with random weights, trained by the Trainer: python train.py --learning_rate 0.01."""

import os
import time
from dataclasses import dataclass

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
    set_seed,
)


@dataclass
class Settings:
    learning_rate: float = 3e-5
    weight_decay: float = 0.0
    num_train_epochs: int = 4
    resume_from_checkpoint: str | None = None


def rows(count, seed):
    words = torch.randint(4, 20, (count, 6), generator=torch.Generator().manual_seed(seed))
    return [{"input_ids": row, "labels": int(row[0] > row[5])} for row in words]  # the larger of two words


def score(predicted):
    time.sleep(float(os.environ.get("EPOCH_S", "0")))
    return {"accuracy": float((predicted.predictions.argmax(1) == predicted.label_ids).mean())}


(settings,) = HfArgumentParser(Settings).parse_args_into_dataclasses()
set_seed(0)
config = BertConfig(
    vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=2
)
arguments = TrainingArguments(
    output_dir="out",
    learning_rate=settings.learning_rate,
    weight_decay=settings.weight_decay,
    num_train_epochs=settings.num_train_epochs,
    per_device_train_batch_size=32,
    per_device_eval_batch_size=200,
    eval_strategy="epoch",
    save_strategy="epoch",
    logging_steps=5,
    use_cpu=True,
    report_to=os.environ.get("REPORT_TO", "none"),
    disable_tqdm=True,
)
model = BertForSequenceClassification(config)
trainer = Trainer(model, arguments, train_dataset=rows(320, 1), eval_dataset=rows(200, 2), compute_metrics=score)
trainer.train(resume_from_checkpoint=settings.resume_from_checkpoint)
