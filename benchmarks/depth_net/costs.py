"""What encoder, resolution and batch cost: seconds of a training step, and bytes that it holds, on one thread.

The bytes are exact on any machine: parameters, their gradients and AdamW's two moments, and what autograd keeps for the
backward pass. The seconds are of processor time. Run: ``python -m benchmarks.depth_net.costs``
"""

from __future__ import annotations

import time

import torch

from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType

_STATES = 4  # parameter, gradient and two moments
_CASES = [
    *((name, 252, 1) for name in ("vit_tiny", "vits", "vitb", "vitl")),
    ("vits", 126, 1),
    ("vits", 518, 1),
    ("vits", 252, 2),
]


def measure(encoder: str, size_px: int, batch: int) -> tuple[float, int, int]:
    """Return processor seconds, bytes of the parameters with their states, and bytes of the activations of one step."""
    network = DepthAnything(encoder=encoder, model_type=ModelType.METRIC, max_depth_m=10.0)
    parameters = {parameter.untyped_storage().data_ptr(): parameter.nbytes for parameter in network.parameters()}
    images = torch.rand(batch, 3, size_px, size_px)
    held: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    began_s = time.process_time()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(images).mean().backward()
    seconds = time.process_time() - began_s
    activations = sum(count for pointer, count in held.items() if pointer not in parameters)
    return seconds, _STATES * sum(parameters.values()), activations


def main() -> None:
    """Print one row per case."""
    torch.set_num_threads(1)
    for encoder, size_px, batch in _CASES:
        seconds, states, activations = measure(encoder, size_px, batch)
        sizes = f"{states / 2**20:.0f} MiB of weights, {activations / 2**20:.0f} MiB of activations"
        print(f"{encoder} {size_px} px, batch {batch}: {seconds:.2f} s, {sizes}", flush=True)


if __name__ == "__main__":
    main()
