"""The built-in formats pass the suite that plug-ins pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from automl.readers.metric_file import DOCUMENT, TABLE
from automl.testing.readers import ReaderContract

if TYPE_CHECKING:
    from automl.readers.metric_format import MetricFormat

EXPECTED = {0: {"val_acc": 0.5, "loss": 1.25}, 1: {"val_acc": 0.625, "loss": 0.75}}


class TestCsv(ReaderContract):
    text = "epoch,val_acc,loss\n0,0.5,1.25\n1,0.625,0.75\n"
    expected = EXPECTED

    def make(self) -> MetricFormat:
        return TABLE


class TestJsonLines(ReaderContract):
    text = "".join(json.dumps({"epoch": epoch, **values}) + "\n" for epoch, values in EXPECTED.items())
    expected = EXPECTED

    def make(self) -> MetricFormat:
        return TABLE


class TestJson(ReaderContract):
    text = json.dumps([{"epoch": epoch, **values} for epoch, values in EXPECTED.items()])
    expected = EXPECTED

    def make(self) -> MetricFormat:
        return DOCUMENT


class TestLogHistory(ReaderContract):
    text = json.dumps({"log_history": [{"epoch": epoch + 1.0, **values} for epoch, values in EXPECTED.items()]})
    expected = EXPECTED

    def make(self) -> MetricFormat:
        return DOCUMENT
