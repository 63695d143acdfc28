"""A small classifier in plain PyTorch: python train.py --lr 0.1. Nothing of automl is in it."""

import argparse
import os
import time
from pathlib import Path

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.003, help="step size")
parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
parser.add_argument("--momentum", type=float, default=0.5)
parser.add_argument("--hidden", type=int, default=16)
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--resume", help="a checkpoint to go on from")
args = parser.parse_args()

torch.manual_seed(0)
points = torch.randn(600, 2)
labels = (points.norm(dim=1) > 1.1).long()
model = torch.nn.Sequential(torch.nn.Linear(2, args.hidden), torch.nn.ReLU(), torch.nn.Linear(args.hidden, 2))
if args.optimizer == "sgd":
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
else:
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
first = 0
if args.resume:
    saved = torch.load(args.resume)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    first = saved["epoch"] + 1

Path("ckpt").mkdir(exist_ok=True)
for epoch in range(first, args.epochs):
    for start in range(0, 500, 50):
        batch = slice(start, start + 50)
        loss = torch.nn.functional.cross_entropy(model(points[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (model(points[500:]).argmax(1) == labels[500:]).float().mean().item()
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, f"ckpt/epoch={epoch}.pt"
    )
    print(f"epoch {epoch}: train_loss={loss.item():.5f} val_acc={accuracy:.4f}", flush=True)
    time.sleep(float(os.environ.get("EPOCH_S", "0")))
