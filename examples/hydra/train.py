"""The same parabola as in ../csv, configured by Hydra: python train.py optim.lr=0.1."""

import json
import math
import os
import time
from pathlib import Path

import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    first, weight, speed = 0, 5.0, 0.0
    if config.resume:
        first, weight, speed = json.loads(Path(config.resume).read_text())
    Path("ckpt").mkdir(exist_ok=True)
    for epoch in range(first, config.epochs):
        for _ in range(10):
            speed = config.optim.momentum * speed - config.optim.lr * 2 * weight
            weight += speed
        loss = weight**2 if math.isfinite(weight) and abs(weight) < 1e100 else float("nan")
        Path(f"ckpt/{epoch}.json").write_text(json.dumps([epoch + 1, weight, speed]))
        print(f"epoch: {epoch} train_loss: {loss} val_loss: {loss}", flush=True)
        time.sleep(float(os.environ.get("EPOCH_S", "0")))


main()
