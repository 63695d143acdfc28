"""Record suite B's learning curves: scikit-learn's MLP trained by SGD on data sets that ship with scikit-learn.

    python -m benchmarks.search.record_curves          # a few minutes on one idle core; writes curves.json

Every configuration of a grid is trained once for 27 epochs. A training has diverged when scikit-learn refuses its
weights, when its loss is not finite, or when our divergence rule calls its loss exploded; its curve ends there.
"""

from __future__ import annotations

import itertools
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from automl.architectures.load import load_architecture
from automl.study.objectives import Direction, Objective
from automl.study.trial import Measurement
from automl.trial.history import TrialHistory
from automl.trial.watch import TrialWatch

FILE = Path(__file__).parent / "curves.json"
EPOCHS = 27
GRID: dict[str, list[float]] = {
    "learning_rate": [round(10 ** (k / 2), 8) for k in range(-8, 5)],
    "batch_size": [32, 128],
    "momentum": [0.0, 0.9],
    "l2": [1e-6, 1e-3, 1e-1],
}
_WATCH = TrialWatch(
    objective=Objective(metric="accuracy", direction=Direction.MAXIMIZE),
    naming=load_architecture("any").checkpoints,
)
LOADERS = {"wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}


def main() -> None:
    """Record every table."""
    tables = {}
    for name in LOADERS:
        data = _split(name)
        tables[name] = [_train(data, dict(zip(GRID, row, strict=True))) for row in itertools.product(*GRID.values())]
        print(name, sum(row["diverged"] for row in tables[name]), "of", len(tables[name]), "diverged", flush=True)
    FILE.write_text(json.dumps({"grid": GRID, "epochs": EPOCHS, "tables": tables}, separators=(",", ":")), "utf-8")


def _split(name: str) -> tuple[Any, ...]:
    features, labels = LOADERS[name](return_X_y=True)
    train_x, val_x, train_y, val_y = train_test_split(
        features[:600], labels[:600], test_size=0.33, random_state=0, stratify=labels[:600]
    )
    scaler = StandardScaler().fit(train_x)
    return scaler.transform(train_x), scaler.transform(val_x), train_y, val_y


def _train(data: tuple[Any, ...], configuration: dict[str, float]) -> dict[str, Any]:
    """Return the validation accuracy after each epoch and whether the training diverged."""
    train_x, val_x, train_y, val_y = data
    model = MLPClassifier(
        hidden_layer_sizes=(32,),
        solver="sgd",
        learning_rate_init=configuration["learning_rate"],
        batch_size=min(int(configuration["batch_size"]), len(train_x)),
        momentum=configuration["momentum"],
        alpha=configuration["l2"],
        random_state=0,
    )
    accuracies: list[float] = []
    history = TrialHistory(_WATCH)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for epoch in range(EPOCHS):
            try:
                model.partial_fit(train_x, train_y, classes=np.unique(train_y))
            except ValueError:
                return {"accuracy": accuracies, "diverged": True}
            loss = float(model.loss_)
            report = (
                Measurement(epoch=epoch, values={"loss": loss})
                if math.isfinite(loss)
                else Measurement(epoch=epoch, nonfinite={"loss": "nan"})
            )
            if history.observe(report) is not None:
                return {"accuracy": accuracies, "diverged": True}
            accuracies.append(round(float(model.score(val_x, val_y)), 4))
    return {"accuracy": accuracies, "diverged": False}


if __name__ == "__main__":
    main()
