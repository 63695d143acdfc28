"""Packages hidden while another one is imported."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from depth_net.model.network import hidden

UNUSED = "xmlrpc"  # of the standard library; nothing here imports it


def test_a_hidden_package_looks_absent_and_comes_back() -> None:
    with hidden(UNUSED):
        assert importlib.util.find_spec(UNUSED) is None
        with pytest.raises(ImportError):
            importlib.import_module(UNUSED)

    assert importlib.import_module(UNUSED).__name__ == UNUSED


def test_a_package_that_is_imported_already_stays_visible() -> None:
    with hidden("json"):
        assert importlib.import_module("json").loads("1") == 1

    assert "json" in sys.modules


def test_the_network_is_imported_without_what_it_does_not_need_and_that_is_found_afterwards() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn, which needs SciPy, is not installed")
    program = """
import importlib.util, sys
def find(name, found=importlib.util.find_spec):
    if name == "sklearn":
        looked.append(sys.modules.get(name, "not hidden"))
    return found(name)
looked = []
importlib.util.find_spec = find
import depth_net.model.network
assert looked and not any(looked), looked
assert "torchao" not in sys.modules
import torchao.quantization as q
print(q.Int8WeightOnlyConfig.__name__)
"""
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert child.stdout.strip() == "Int8WeightOnlyConfig", child.stderr
