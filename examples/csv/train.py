"""Gradient descent on a parabola, in the standard library, with a table of metrics: python train.py --lr 0.1."""

import argparse
import csv
import json
import math
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.001)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--resume")
args = parser.parse_args()

first, weight, speed = 1, 5.0, 0.0
if args.resume:
    first, weight, speed = json.loads(Path(args.resume).read_text())
with open("metrics.csv", "w", newline="") as table:
    rows = csv.writer(table)
    rows.writerow(["epoch", "train_loss", "val_loss"])
    for epoch in range(first, args.epochs + 1):
        for _ in range(10):
            speed = args.momentum * speed - args.lr * 2 * weight
            weight += speed
        loss = weight**2 if math.isfinite(weight) and abs(weight) < 1e100 else float("nan")
        Path(f"state_{epoch}.json").write_text(json.dumps([epoch + 1, weight, speed]))
        rows.writerow([epoch, loss, loss])
        table.flush()
        time.sleep(float(os.environ.get("EPOCH_S", "0")))
