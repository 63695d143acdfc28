from __future__ import annotations

from depth_net.config.fields import Many, Section, Whole, limits_of, setting


class Group(Section):
    rate: float = setting(0.1, "A rate.", gt=0.0, le=1.0)
    sizes: Many[Whole] = setting((1,), "Sizes.")


def test_a_declaration_keeps_text_and_limits() -> None:
    rate = Group.model_fields["rate"]

    assert (rate.description, limits_of(rate)) == ("A rate.", {"gt": 0.0, "le": 1.0})
    assert limits_of(Group.model_fields["sizes"]) == {}
