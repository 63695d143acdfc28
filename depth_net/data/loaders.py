"""Batches and the processes that load them; `depth_net.data.sample_order` says which sample comes when."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.util
import os
import shutil
import sys
import tempfile
import threading
import warnings
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

import cv2
import torch
from torch.distributed import is_initialized
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from depth_net.data.dataset import TINY_SET, DepthDataset, Sample
from depth_net.data.sample_order import ClosableSampler, EpochSampler, ShapeBatches, Share
from depth_net.gpu_driver import is_driver, wait_for_driver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.context import BaseContext

    from torch import Tensor

logger = logging.getLogger(__name__)

_PREFETCHED_BATCHES = 2
_LONGEST_TEMPORARY = 107 - len("/pymp-12345678/listener-12345678")
"""Bytes of the temporary folder: a socket's path has 107, and multiprocessing appends the rest."""
_OWN_GROUP = "depth_net.data.own_group"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where PyTorch passes batches between processes; nothing is written here


class Batch(TypedDict):
    """Samples of one image size, stacked."""

    image: Tensor
    """(B, 3, H, W)."""
    target: Tensor | list[Tensor]
    """(B, 1, H, W) in training, otherwise one (1, h, w) of native size per image."""
    valid: Tensor | list[Tensor]
    """Boolean, like the target."""
    image_size: list[list[int]]
    """Native [height, width] of each image."""
    image_path: list[str]
    has_target: list[bool]
    row: list[int]
    """See `Sample`."""


def build_loader(  # noqa: PLR0913 - the keys of the spec, one to one
    dataset: DepthDataset,
    *,
    batch_size: int,
    workers: int,
    pin_memory: bool,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    epochs: int = 0,
) -> DataLoader[Batch]:
    """Return the loader of one split.

    Training samples come in a new order each epoch, those of other splits once, in batches of one image size.

    Args:
        dataset: The samples.
        batch_size: Samples per batch and rank, in training exactly: what is left over is dropped.
        workers: Requested loading processes; fewer are started on a small machine or for a small set, which is
            logged.
        pin_memory: Put batches where a GPU reads them without another copy.
        seed: Start of the order.
        rank: This process, from 0.
        world_size: Number of processes that share the samples.
        epochs: An iteration continues to the end of this many epochs; 0 ends it with its own epoch.
    """
    processes = choose_worker_count(dataset, asked=workers, batch_size=batch_size, world_size=world_size)
    if processes:
        shorten_sockets()
    share, training = Share(rank=rank, world_size=world_size), dataset.settings.split == "train"
    order: dict[str, Any]
    if training:
        sampler = EpochSampler(len(dataset), seed=seed, share=share)
        if epochs:
            sampler.run_on(until=epochs, multiple=batch_size)
        order = {"sampler": sampler, "batch_size": batch_size, "drop_last": True}
    else:
        order = {
            "batch_sampler": ShapeBatches(len(dataset), batch_size=batch_size, share=share, shape_of=dataset.shape_of)
        }
    return DataLoader(
        # A loader of samples that yields batches has no type in torch's annotations.
        cast("Dataset[Any]", dataset),
        num_workers=processes,
        collate_fn=partial(collate, stack_targets=training),
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        multiprocessing_context=_start_method() if processes else None,
        prefetch_factor=_PREFETCHED_BATCHES if processes else None,
        persistent_workers=processes > 0,
        **order,
    )


def shorten_sockets() -> None:
    """Let processes pass batches where TMPDIR is so long that no socket can be made below it."""
    if len(os.fsencode(tempfile.gettempdir())) <= _LONGEST_TEMPORARY:
        return
    before = tempfile.tempdir
    try:
        tempfile.tempdir = "/tmp"  # noqa: S108 - only for the private folder of this process, removed at its end
        multiprocessing.util.get_temp_dir()  # made once
    except OSError as error:
        logger.warning("TMPDIR is too long for the sockets of loading processes, and /tmp cannot be used: %s", error)
    finally:
        tempfile.tempdir = before


def choose_worker_count(dataset: DepthDataset, *, asked: int, batch_size: int = 1, world_size: int = 1) -> int:
    """Return how many loading processes are worth starting, and log why if fewer than requested.

    None for tiny or cached sets; at most one per core of this rank; only as many as find room in the shared memory for
    two batches each, which containers often limit to 64 MB (without room, PyTorch dies with a bus error).
    """
    if asked <= 0:
        return 0
    ranks_here = min(world_size, max(1, torch.cuda.device_count())) if world_size > 1 else 1
    if len(dataset) <= TINY_SET:
        processes, reason = 0, f"{len(dataset)} samples are few"
    elif dataset.fits_cache:
        processes, reason = 0, "all samples fit the cache"
    else:
        cores = max(1, len(os.sched_getaffinity(0)) // ranks_here)
        room = _free_shared_memory() // ranks_here // max(1, _PREFETCHED_BATCHES * batch_size * _sample_bytes(dataset))
        processes = min(asked, cores, room)
        reason = f"{cores} cores" if cores <= room else f"shared memory ({_SHARED_MEMORY}) has no room for more batches"
    if processes < asked:
        logger.info("%s data: %d loading processes instead of %d: %s", dataset.settings.split, processes, asked, reason)
    return processes


def _free_shared_memory() -> int:
    """Bytes; practically unlimited where the system has no such folder."""
    return shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.is_dir() else 1 << 62


def _sample_bytes(dataset: DepthDataset) -> int:
    sample = dataset[0]
    return sum(tensor.nbytes for tensor in (sample["image"], sample["target"], sample["valid"]))


def collate(samples: Sequence[Sample], *, stack_targets: bool) -> Batch:
    """Stack samples.

    Args:
        samples: At least one; their images have one size.
        stack_targets: The targets have the size of their images, as in training; otherwise they become lists.
    """
    targets = [sample["target"] for sample in samples]
    valid = [sample["valid"] for sample in samples]
    return Batch(
        image=torch.stack([sample["image"] for sample in samples]),
        target=torch.stack(targets) if stack_targets else targets,
        valid=torch.stack(valid) if stack_targets else valid,
        image_size=[sample["image_size"] for sample in samples],
        image_path=[sample["image_path"] for sample in samples],
        has_target=[sample["has_target"] for sample in samples],
        row=[sample["row"] for sample in samples],
    )


def start_processes(loader: DataLoader[Batch]) -> None:
    """Start the loading processes of a loader now; they wait until the loader is iterated."""
    order = loader.sampler if isinstance(loader.sampler, EpochSampler) else loader.batch_sampler
    if loader.num_workers and isinstance(order, ClosableSampler):
        with order.closed(), warnings.catch_warnings():
            # Python 3.12 warns about any thread; `can_fork` checks each of them.
            warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
            iter(loader)


def stop_processes(loader: DataLoader[Batch]) -> None:
    """End the loading processes of a loader, which may be in the middle of an iteration.

    At the exit of a process PyTorch 2.11 would wait 5 s for each that page-locks its batches.
    """
    iterator = loader._iterator  # noqa: SLF001 - PyTorch has no other way
    if isinstance(iterator, _MultiProcessingDataLoaderIter):
        iterator._shutdown_workers()  # noqa: SLF001 - as above
        loader._iterator = None  # noqa: SLF001 - as above


@contextmanager
def pinning_for(device: int | None) -> Iterator[None]:
    """Let loaders that start inside the block page-lock their batches for one GPU.

    They ask PyTorch for the current one, which is the first until the run itself uses another: each process of a run
    would hold half a GiB on the first GPU. To make it the current one earlier would start it before the processes fork.

    Args:
        device: Index of the GPU; None changes nothing.
    """
    if device is None:
        yield
        return
    current = torch.accelerator.current_device_index
    torch.accelerator.current_device_index = lambda: device
    try:
        yield
    finally:
        torch.accelerator.current_device_index = current


def use_threads(count: int) -> None:
    """Set the number of threads of PyTorch and OpenCV; by default OpenCV uses every core."""
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch and OpenCV use a single thread inside the block, so that loading processes can be forked."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    use_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def can_fork() -> bool:
    """Whether loading processes can be forked from this process, which takes 20 ms each.

    Not with other Python threads, whose locks they would inherit; not with OpenCV threads, for which they would wait;
    not once PyTorch has started CUDA or a process group (NCCL and Gloo do not survive a fork). Otherwise a fork server
    is started, which takes the seconds of importing PyTorch again. A started GPU driver is harmless: loading processes
    never call it.
    """
    is_alone = all(thread is threading.current_thread() or is_driver(thread) for thread in threading.enumerate())
    has_started = torch.cuda.is_initialized() or is_initialized()  # type: ignore[no-untyped-call]  # torch annotates in part
    return sys.platform == "linux" and is_alone and cv2.getNumThreads() <= 1 and not has_started


def _start_method() -> BaseContext:
    if can_fork():
        wait_for_driver()
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_OWN_GROUP, __name__])
    return context


def _start_worker(_worker: int) -> None:
    """One thread per loading process, because the processes already use all cores, and a process group of its own.

    A signal to the group of the training process lets that process stop in order, for which it needs its batches.
    PyTorch ends a loading process whose parent is gone; with a fork server, the parent is that server, which runs as
    long as its children.
    """
    cv2.setNumThreads(0)
    os.setpgid(0, 0)
    training = multiprocessing.parent_process()
    if training is not None:
        threading.Thread(target=_end_after, args=(training.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    """End this process as soon as the one behind the sentinel has ended."""
    wait([sentinel])
    os._exit(1)
