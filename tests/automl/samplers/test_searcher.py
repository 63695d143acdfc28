from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from automl.testing.samplers import SearcherContract
from automl.testing.studies import MIXED
from tests.automl.samplers.fake_endpoint import FakeEndpoint, draw_unseen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.space.search_space import SearchSpace
    from automl.testing.recorded_searcher import RecordedSearcher


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


class TestLlm(SearcherContract):
    sampler: ClassVar[str] = "llm"

    @pytest.fixture(autouse=True)
    def endpoint(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A language model that answers with draws of its own; its seed is that of the study."""
        with FakeEndpoint(monkeypatch) as self.model:
            self.model.answer = lambda prompt: draw_unseen(MIXED, prompt, 7)
            yield

    def open(self, folder: Path, space: SearchSpace = MIXED, seed: int = 7) -> RecordedSearcher:
        self.model.answer = lambda prompt: draw_unseen(space, prompt, seed)
        return super().open(folder, space, seed)


class TestGrid(SearcherContract):
    sampler: ClassVar[str] = "grid"
