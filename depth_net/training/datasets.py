"""The data sets and loaders of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from lightning.pytorch import LightningDataModule

from depth_net.data.dataset import DepthDataset, dataset_of
from depth_net.data.loaders import build_loader, can_fork, pinning_for, start_processes, stop_processes
from depth_net.data.sample_order import Share
from depth_net.training.resumable_loader import ResumableLoader

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from depth_net.config.dataset import SplitConfig
    from depth_net.config.experiment import ExperimentConfig
    from depth_net.data.loaders import Batch


class DepthData(LightningDataModule):
    """Training and validation loaders; each process loads its own share of the samples.

    Args:
        config: The spec.
        seed: Start of all randomness of the samples and their order.
        on_gpu: Whether batches go to a GPU.
    """

    def __init__(self, config: ExperimentConfig, *, seed: int, on_gpu: bool) -> None:
        super().__init__()
        self._config = config
        self._seed = seed
        self._on_gpu = on_gpu
        self._share = Share()
        self.train_set = dataset_of(config, "train", seed=seed)
        self.val_set = dataset_of(config, "val", seed=seed)
        self._train: DataLoader[Batch] | None = None
        self._val: DataLoader[Batch] | None = None

    def start_loading(self, share: Share, device: int | None) -> None:
        """Start the loading processes of this process now, if they can be forked.

        Call this before a thread, a GPU or a process group is started. Otherwise they start when Lightning requests the
        loaders, from a server that first has to import PyTorch again.

        Args:
            share: Which of the processes of the run this is.
            device: The GPU that batches go to; None without one.
        """
        self._share = share
        if can_fork():
            # Starting a loader draws a random number; initial weights must not depend on the number of loaders.
            with torch.random.fork_rng(devices=()), pinning_for(device):
                # The training split comes last: pinning its batches starts the GPU.
                self._val = self._val_loader(pins=False)
                start_processes(self._val)
                self._train = self._train_loader()
                start_processes(self._train)

    def stop_loading(self) -> None:
        """End the loading processes that `start_loading` has started."""
        for loader in (self._train, self._val):
            if loader is not None:
                stop_processes(loader)

    def train_dataloader(self) -> ResumableLoader:
        """Return the loader of the training split, reshuffled in each epoch."""
        return ResumableLoader(self._train or self._train_loader())

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the validation split, in order."""
        return self._val or self._val_loader(pins=True)

    def _train_loader(self) -> DataLoader[Batch]:
        epochs = self._config.train.num_epochs
        return self._loader(self.train_set, self._config.dataset.train_dataset, pins=True, epochs=epochs)

    def _val_loader(self, *, pins: bool) -> DataLoader[Batch]:
        return self._loader(self.val_set, self._config.dataset.val_dataset, pins=pins, epochs=0)

    def _loader(self, dataset: DepthDataset, section: SplitConfig, *, pins: bool, epochs: int) -> DataLoader[Batch]:
        return build_loader(
            dataset,
            batch_size=section.batch_size,
            workers=section.workers,
            pin_memory=pins and section.pin_memory and self._on_gpu,
            seed=self._seed,
            rank=self._share.rank,
            world_size=self._share.world_size,
            epochs=epochs,
        )
