"""Open a file or folder with weights in any container, without running code that it contains.

Only tensors and plain containers are unpickled (`weights_only=True`); a file that needs more is refused with the names
it needs. The state is returned under its own names without the wrapper's prefix; `depth_net.model.weights` interprets
them.
"""

from __future__ import annotations

import argparse
import json
import pickle
import struct
import warnings
import zipfile
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from depth_net.errors import WeightsError
from depth_net.model.quantized import admit_quantized_classes
from depth_net.model.weight_sets import choose_set, named_tensors
from depth_net.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METADATA_KEY = "depth_net"
"""Key under which our own checkpoints describe their model; see `depth_net.model.weights.metadata_of`."""

_DAMAGE = (
    *(RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError, AttributeError, AssertionError),
    *(ArithmeticError, MemoryError, struct.error, zipfile.BadZipFile),
)
"""Exceptions raised by damaged files, found by writing random bytes into files of each kind."""

PICKLED = frozenset({".pth", ".pt", ".ckpt", ".tlt", ".bin"})


class Container(StrEnum):
    """What wraps the weights."""

    FLAT = "flat"
    """A pickled mapping of names to tensors, as published."""
    WRAPPED = "wrapped"
    """A mapping with the state under a key such as ``model``, as published training scripts save."""
    LIGHTNING = "lightning"
    """A checkpoint of Lightning: ours and the container's."""
    SAFETENSORS = "safetensors"
    FOLDER = "folder"
    """A folder with ``config.json`` and safetensors or pickled shards, as transformers saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """Content of a file.

    Attributes:
        container: What wrapped it.
        state: Tensors under the names of the file, less prefixes such as ``model.`` and ``module.``.
        metadata: Our own notes, or the configuration of a transformers folder; empty for others.
    """

    container: Container
    state: Mapping[str, Tensor]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def open_weights(path: Path, key: str = "") -> WeightsFile:
    """Read the weights of a file or folder into memory-mapped tensors on the CPU.

    Args:
        path: The file or folder.
        key: Which weights to take where a file holds several sets, e.g. ``teacher``; else it is not read.

    Raises:
        WeightsError: the file is missing, of a kind without weights, damaged, or needs code to be run; or it holds
            several sets of weights and no key says which.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise WeightsError(f"{path}: found no such file; expected a checkpoint; fix: correct the path")
    if path.suffix == ".safetensors":
        return WeightsFile(container=Container.SAFETENSORS, state=_model_in(path, _read_safetensors(path), key))
    if path.suffix in {".engine", ".trt_engine", ".plan", ".onnx"}:
        raise WeightsError(
            f"{path}: found a {path.suffix} file; expected a checkpoint with weights ({', '.join(sorted(PICKLED))}, "
            ".safetensors or a transformers folder); fix: name the checkpoint it was exported from; engines run in the "
            "deploy container"
        )
    return _unwrap(path, read_pickled(path), key)


def read_pickled(path: Path) -> Mapping[str, Any]:
    """Unpickle a mapping of tensors and plain containers, and nothing else.

    Raises:
        WeightsError: the file is damaged, is not a mapping, or needs other classes.
    """
    try:
        open_regular(path).close()
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            admit_quantized_classes(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about pickle protocols; what cannot be read raises
            with torch.serialization.safe_globals([argparse.Namespace]):  # scripts keep their arguments beside
                content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise WeightsError(_unsafe_text(path)) from error
    except _DAMAGE as error:
        raise WeightsError(
            f"{path}: found a file of {path.stat().st_size:,} bytes that PyTorch cannot read ({_first_line(error)}); "
            "expected a checkpoint; fix: fetch or save it again"
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path}: found a pickled {type(content).__name__}; expected a mapping of names to tensors; fix: save "
            "model.state_dict() instead"
        )
    return content


def _unwrap(path: Path, content: Mapping[str, Any], key: str) -> WeightsFile:
    notes = content.get(METADATA_KEY)
    metadata = notes if isinstance(notes, dict) else {}
    if "pytorch-lightning_version" in content:
        # Callbacks may keep weights of their own; inside a task the model is called so.
        state, container, key = content.get("state_dict", {}), Container.LIGHTNING, key or "model"
    else:
        is_flat = any(isinstance(value, Tensor) for value in content.values())
        state, container = content, Container.FLAT if is_flat else Container.WRAPPED
    return WeightsFile(container=container, state=_model_in(path, state, key), metadata=metadata)


def _model_in(path: Path, content: object, key: str = "") -> Mapping[str, Tensor]:
    """Return the weights of a model, or the tensors of whatever there is, which another module refuses by name."""
    pairs = content if isinstance(content, dict) else {}
    state = choose_set(path, pairs, key)
    if state is None:
        state = dict(named_tensors(pairs))
    if not state:
        keys = ", ".join(str(name) for name in [*pairs][:5]) or "none"
        raise WeightsError(
            f"{path}: found no tensors (keys: {keys}); expected weights; fix: name a checkpoint of this model"
        )
    return state


def _open_folder(path: Path) -> WeightsFile:
    configuration = path / "config.json"
    if not configuration.is_file():
        raise WeightsError(
            f"{path}: found a folder without config.json; expected a checkpoint file or a transformers folder; "
            "fix: name a file in it"
        )
    shards = sorted(path.glob("*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    if not shards:
        raise WeightsError(f"{path}: found no *.safetensors or pytorch_model*.bin; expected weights beside config.json")
    state: dict[str, Tensor] = {}
    for shard in shards:
        state |= _read_safetensors(shard) if shard.suffix == ".safetensors" else read_pickled(shard)
    return WeightsFile(
        container=Container.FOLDER, state=_model_in(path, state), metadata=_read_configuration(configuration)
    )


def _read_configuration(path: Path) -> Mapping[str, Any]:
    try:
        with open_regular(path) as stream:
            content = json.loads(stream.read())
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: found no JSON ({_first_line(error)}); fix: fetch or save it again") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: found a {type(content).__name__}; expected the configuration of a model")
    return content


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError  # noqa: PLC0415  # only files of this kind need the library
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        open_regular(path).close()
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: found a damaged safetensors file ({_first_line(error)}); fix: fetch or save it again"
        ) from error


def _unsafe_text(path: Path) -> str:
    try:
        asked = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipfile.is_zipfile(path) else []
    except (pickle.UnpicklingError, *_DAMAGE):
        asked = []
    if not asked:
        return (
            f"{path}: found a damaged file, or one that is no checkpoint; expected weights; fix: fetch or save it again"
        )
    return (
        f"{path}: found a file that must run code to be read ({', '.join(sorted(asked))}); expected only tensors and "
        "plain containers; fix: where you trust it, load it there and save its state_dict() alone"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0][:160] or type(error).__name__
