"""GPUs by identity: an index says nothing inside a container, and a count would give every trial the first ones."""

from __future__ import annotations

from automl.machine import query_gpus

_IDENTITIES = ("GPU-", "MIG-")


def to_uuids(gpus: tuple[str, ...]) -> tuple[str, ...]:
    """Return the UUIDs of devices named as Ray names them: by index on the host, or by UUID already.

    An index that `nvidia-smi` does not list stays an index: the engine may be on another machine.
    """
    if all(gpu.startswith(_IDENTITIES) for gpu in gpus):
        return gpus
    known = {str(gpu.index): gpu.uuid for gpu in query_gpus()}
    return tuple(known.get(gpu, gpu) for gpu in gpus)
