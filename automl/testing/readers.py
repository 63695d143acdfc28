"""What every format of logs and metric files must do. Subclass `ReaderContract`; see `automl.readers.metric_format`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import pytest

from automl.readers.format_reader import FormatReader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.readers.metric_format import MetricFormat
    from automl.study.trial import Measurement

ODD_TEXTS = ("", "\n", "\0" * 100, "{", "[[[[", "a,b\n1", "\ud800", "epoch: epoch\n", "9" * 5000, "{}" * 100)


class ReaderContract(ABC):
    """The abstract suite.

    Attributes:
        text: What a trainer writes, with at least two epochs.
        expected: Epoch -> metrics of it.
    """

    text: ClassVar[str]
    expected: ClassVar[Mapping[int, Mapping[str, float]]]

    @abstractmethod
    def make(self) -> MetricFormat:
        """Return the format."""

    def file(self, folder: Path) -> Path:
        """Return a file in a folder that has a name of the format."""
        return folder / self.make().patterns[0].replace("*", "a")

    def found(self, measurements: list[Measurement]) -> dict[int | None, dict[str, float]]:
        """Return what measurements say of each epoch, the metrics that are expected."""
        by_epoch: dict[int | None, dict[str, float]] = {}
        for measurement in measurements:
            by_epoch.setdefault(measurement.epoch, {}).update(measurement.values)
        names = {name for values in self.expected.values() for name in values}
        kept = {epoch: {n: v for n, v in values.items() if n in names} for epoch, values in by_epoch.items()}
        return {epoch: values for epoch, values in kept.items() if values}

    def test_the_epochs_count_from_0_and_have_their_values(self) -> None:
        assert self.found(self.make().read(self.text)) == self.expected

    def test_every_value_is_finite_or_named_as_one_that_is_not(self) -> None:
        for measurement in self.make().read(self.text):
            assert all(math.isfinite(value) for value in measurement.values.values())
            assert set(measurement.nonfinite.values()) <= {"nan", "inf", "-inf"}
            assert measurement.epoch is None or measurement.epoch >= 0

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_any_text_is_read_without_an_error(self, text: str) -> None:
        self.make().read(text)

    def test_what_a_file_grows_by_is_returned_once_and_a_torn_end_never(self, tmp_path: Path) -> None:
        reader, file = FormatReader(tmp_path, self.make()), self.file(tmp_path)
        seen: list[Measurement] = []

        for length in range(0, len(self.text), max(len(self.text) // 40, 1)):
            file.write_text(self.text[:length], encoding="utf-8")
            seen += reader.read()
        file.write_text(self.text, encoding="utf-8")
        seen += reader.finish()

        assert self.found(seen) == self.expected
        values = [(m.epoch, name, value) for m in seen for name, value in m.values.items()]
        assert len(values) == len(set(values))
        assert not [m.notice for m in seen if m.notice]
