"""A small LightningModule with a CSVLogger and a checkpoint for each epoch: python train.py --lr 0.1."""

import argparse
import os
import time

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.003, help="step size")
parser.add_argument("--momentum", type=float, default=0.5)
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--resume", help="a checkpoint to go on from")
args = parser.parse_args()


class Ring(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))

    def training_step(self, batch, _):
        points, labels = batch
        loss = torch.nn.functional.cross_entropy(self.net(points), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        points, labels = batch
        self.log("val_acc", (self.net(points).argmax(1) == labels).float().mean())
        time.sleep(float(os.environ.get("EPOCH_S", "0")))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=args.lr, momentum=args.momentum)


L.seed_everything(0)
points = torch.randn(600, 2)
labels = (points.norm(dim=1) > 1.1).long()
train = DataLoader(TensorDataset(points[:500], labels[:500]), batch_size=50)
held_out = DataLoader(TensorDataset(points[500:], labels[500:]), batch_size=100)
saving = ModelCheckpoint("ckpt", filename="{epoch}", save_top_k=-1)
trainer = L.Trainer(
    max_epochs=args.epochs,
    accelerator="cpu",
    logger=CSVLogger("logs", flush_logs_every_n_steps=1),
    callbacks=[saving],
    log_every_n_steps=1,
    num_sanity_val_steps=0,
    enable_progress_bar=False,
)
trainer.fit(Ring(), train, held_out, ckpt_path=args.resume)
