"""The table in benchmarks/search_space/README.md is what its generator writes."""

from __future__ import annotations

from benchmarks.search_space.table import BEGIN, DOCUMENT, END, render_bank
from tests.automl.skill.packages import BANK, needs_bank


@needs_bank
def test_the_document_has_the_table_of_today() -> None:
    written = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()

    assert written == render_bank(BANK[0].parents[2]).strip()


def test_the_document_has_a_place_for_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert text.count(BEGIN) == text.count(END) == 1
    assert "depth_net_mono | 45 | 3" in text
