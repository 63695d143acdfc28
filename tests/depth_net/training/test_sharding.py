from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from depth_net.training.sharding import name_states, number_states, trained_names


def test_states_are_numbered_through_the_groups_as_one_process_does_it() -> None:
    first, second = nn.Linear(1, 1), nn.Linear(1, 1)
    model = nn.ModuleDict({"_fsdp_wrapped_module": nn.ModuleDict({"b": first, "a": second})})
    groups: list[dict[str, Any]] = [{"params": list(second.parameters())}, {"params": [first.bias], "lr": 1.0}]
    optimizer = AdamW(groups)
    second(torch.ones(1)).sum().backward()
    optimizer.step()
    plain = optimizer.state_dict()

    names = trained_names(model, optimizer)
    named = name_states(plain, names)

    assert names == ["a.weight", "a.bias", "b.bias"]
    assert list(named["state"]) == ["a.weight", "a.bias"]
    assert named["param_groups"][1]["params"] == ["b.bias"]
    assert number_states(named) == plain
