"""`state_dict()` and `load_state_dict()` of a module that holds a transformers network, in the published layout.

Works at any depth: as attribute `model` of a Lightning task the names are `model.pretrained.*`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from depth_net.model.adapters import merge_adapters
from depth_net.model.keys import HEAD_PREFIX, parts_of_published
from depth_net.model.rows import join_rows, split_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

NETWORK = "network."
"""The network is this attribute of the module; with the dot, the prefix of its live names."""
_SHARDED = "_fsdp_wrapped_module"


class PublishedState(nn.Module):
    """A module whose attribute `network` computes and whose states have published names.

    `state_dict(keep_vars=True)` gives the live parameters under their live names, because a joint matrix of several
    parameters is none.

    Args:
        network: The transformers network.
        head_name: What the published layout calls the head, `depth_head` or `metric_depth_head`.
    """

    def __init__(self, network: nn.Module, head_name: str) -> None:
        super().__init__()
        self.network = network
        names = [name for name, _ in network.named_parameters()]
        self.parts: Mapping[str, tuple[str, ...]] = {
            name.replace(HEAD_PREFIX, f"{head_name}.", 1) if name.startswith(HEAD_PREFIX) else name: tuple(
                f"{NETWORK}{part}" for part in parts
            )
            for name, parts in parts_of_published(names).items()
        }
        """Published name of a parameter -> live names of the parameters whose rows it joins."""
        self.register_state_dict_post_hook(_publish)  # type: ignore[no-untyped-call]  # PyTorch annotates in part
        self.register_load_state_dict_pre_hook(_take_apart)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_rename_missing)  # type: ignore[no-untyped-call]

    def layers(self) -> dict[str, tuple[str, ...]]:
        """Published name of a layer with parameters -> live names of the modules that it joins."""
        found: dict[str, tuple[str, ...]] = {}
        for name, parts in self.parts.items():
            layer, _, _ = name.rpartition(".")
            found.setdefault(layer, tuple(part.rpartition(".")[0] for part in parts))
        return found


def publish(module: PublishedState, state: MutableMapping[str, Any], prefix: str) -> None:
    """Give a state published names and merge adapters, in place; names that are published already stay.

    Args:
        module: The module that the state belongs to.
        state: Names that begin with `prefix` are translated, all others left.
        prefix: Path of the module in the state, with a final dot, or empty.
    """
    merge_adapters(state, prefix)
    for name, parts in module.parts.items():
        live = [prefix + part for part in parts]
        if live[0] in state:
            state[prefix + name] = join_rows([state.pop(part) for part in live])


def _publish(module: PublishedState, state: MutableMapping[str, Any], prefix: str, _metadata: object) -> None:
    is_live = any(isinstance(tensor, nn.Parameter) for name, tensor in state.items() if name.startswith(prefix))
    # FSDP needs its live names after this hook; the task publishes them when it saves.
    is_sharded = any(_SHARDED in name for name in state)
    if not is_live and not is_sharded:
        publish(module, state, prefix)


def _take_apart(module: PublishedState, state: MutableMapping[str, Tensor], prefix: str, *_: object) -> None:
    for name, parts in module.parts.items():
        if prefix + name in state:
            tensors = split_rows(state.pop(prefix + name), len(parts))
            state.update(zip((prefix + part for part in parts), tensors, strict=True))


def _rename_missing(module: PublishedState, keys: Any) -> None:  # noqa: ANN401  # a private tuple of PyTorch
    """Rename missing keys to their published names."""
    published = {part: name for name, parts in module.parts.items() for part in parts}
    renamed: list[str] = []
    for name in keys.missing_keys:
        before, _, after = name.partition(NETWORK)
        live = NETWORK + after
        renamed.append(before + published[live] if live in published else name)
    keys.missing_keys[:] = dict.fromkeys(renamed)
