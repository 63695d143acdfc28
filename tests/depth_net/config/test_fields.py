from __future__ import annotations

import dataclasses

import pytest

from depth_net.config.fields import declaration, section, setting


@dataclasses.dataclass(frozen=True)
class Group:
    rate: float = setting(0.1, "A rate.", above=0.0)
    nested: int = section(3, "A group.")
    bare: int = 0


def test_a_declaration_keeps_text_and_limits() -> None:
    rate = declaration(dataclasses.fields(Group)[0])

    assert (rate.text, rate.above, rate.search) == ("A rate.", 0.0, None)


def test_a_field_without_a_declaration_is_refused() -> None:
    with pytest.raises(KeyError):
        declaration(dataclasses.fields(Group)[2])
