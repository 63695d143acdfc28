from __future__ import annotations

from typing import ClassVar

from tests.contracts.searcher import SearcherContract


class TestAuto(SearcherContract):
    sampler: ClassVar[str] = "auto"


class TestGp(SearcherContract):
    sampler: ClassVar[str] = "gp"


class TestTpe(SearcherContract):
    sampler: ClassVar[str] = "tpe"


class TestCmaes(SearcherContract):
    sampler: ClassVar[str] = "cmaes"


class TestNsga2(SearcherContract):
    sampler: ClassVar[str] = "nsga2"


class TestQmc(SearcherContract):
    sampler: ClassVar[str] = "qmc"


class TestRandom(SearcherContract):
    sampler: ClassVar[str] = "random"


class TestGrid(SearcherContract):
    sampler: ClassVar[str] = "grid"
