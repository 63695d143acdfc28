"""A Python function on its way into the process of a trial."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import ConfigurationError
from automl.function_file import FunctionFile, load_apart, write_function

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODULES = "helper_of_a_test", "other_of_a_test", "package_of_a_test"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder; modules and `sys.path` are what they were after the test."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def helper(folder: Path, factor: int) -> None:
    folder.mkdir(exist_ok=True)
    source = f"def train(lr=2):\n    return lr * {factor}\n"
    (folder / "helper_of_a_test.py").write_text(source, encoding="utf-8")


def imported(name: str = "helper_of_a_test") -> Callable[..., object]:
    function: Callable[..., object] = __import__(name).train
    return function


def load(file: FunctionFile) -> dict[str, str]:
    with load_apart(file) as own_files:
        return own_files()


def run_trial(file: Path, folder: Path, spec: str = "{lr: 2}", *arguments: str) -> list[dict[str, object]]:
    """Call the function as a trial does and return what it reports."""
    folder.mkdir(exist_ok=True)
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    command = [sys.executable, "-P", "-m", "automl.run_function", str(file), str(folder / "spec.yaml"), *arguments]
    environment = {**os.environ, "AUTOML_TRIAL_DIR": str(folder)}
    subprocess.run(command, check=True, cwd=folder, env=environment, timeout=120)  # our own module
    lines = (folder / "status.json").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["kpi"] for line in lines]


def test_a_trial_finds_the_module_that_the_caller_has_found(folder: Path) -> None:
    helper(folder, -50)
    helper(folder / "sub", 3)
    sys.path.insert(0, str(folder / "sub"))
    file = write_function(imported(), "train", "v", folder / "results")

    load(file)

    assert run_trial(file.path, folder / "trial") == [{"v": 6.0}]


def test_inside_the_folder_of_the_study_a_trial_searches_its_own(folder: Path) -> None:
    helper(folder, 3)
    sys.path.insert(0, "")
    file = write_function(imported(), "train", "v", folder / "results")
    helper(folder / "trial", 4)

    assert run_trial(file.path, folder / "trial") == [{"v": 8.0}]


def test_a_module_that_no_trial_finds_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(folder / "lib", 3)
    sys.path.insert(0, "lib")
    function = imported()
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")

    with pytest.raises(ConfigurationError, match="ModuleNotFoundError: No module named 'helper_of_a_test'"):
        load(write_function(function, "train", "v", folder / "results"))


def test_a_module_that_is_another_one_in_a_trial_is_one_sentence(folder: Path) -> None:
    helper(folder / "lib", 3)
    helper(folder, 4)
    sys.path.insert(0, str(folder / "lib"))
    function = imported()
    sys.path[0] = str(folder)

    with pytest.raises(ConfigurationError, match=r"lib/helper_of_a_test\.py here, and would be"):
        load(write_function(function, "train", "v", folder / "results"))


def test_a_study_that_starts_when_its_function_is_loaded_is_refused(folder: Path) -> None:
    source = "import automl, sys\ndef train(lr=2): return lr\nif 'pytest' not in sys.modules:\n"
    call = "    automl.tune(train, {'lr': (1, 2)}, 'v maximize')\n"
    (folder / "other_of_a_test.py").write_text(source + call, encoding="utf-8")
    sys.path.insert(0, str(folder))

    with pytest.raises(ConfigurationError, match="a study that starts whenever the module is imported"):
        load(write_function(imported("other_of_a_test"), "train", "v", folder / "results"))


def test_what_a_module_prints_when_it_is_imported_is_no_fault(folder: Path) -> None:
    (folder / "other_of_a_test.py").write_text("print('{')\ndef train(lr=2): return lr\n", encoding="utf-8")
    sys.path.insert(0, str(folder))

    load(write_function(imported("other_of_a_test"), "train", "v", folder / "results"))


SCRIPT = """
import argparse, multiprocessing, os, pickle, sys
from pathlib import Path
class Net: pass
def square(x):
    return x * x
def train(lr=2):
    pickle.dumps(Net())
    argparse.ArgumentParser().parse_args()
    total = 0
    for kind in ("fork", "spawn"):
        with multiprocessing.get_context(kind).Pool(1) as pool:
            total += sum(pool.map(square, [1, lr]))
    os.environ.clear()
    return total - 4
def child():
    from automl.function_file import load_apart, write_function
    file = write_function(train, "train", "v", Path("results"))
    with load_apart(file) as own_files:
        own_files()
    print(file.path)
if __name__ == "__main__":
    if sys.argv[1:]:
        child()
    else:
        process = multiprocessing.get_context("spawn").Process(target=child)
        process.start(); process.join()
"""


@pytest.mark.parametrize("arguments", [(), ("here",)])
def test_a_function_of_a_script_travels_from_a_spawned_process_too(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "script.py", *arguments]
    written = subprocess.run(command, check=True, capture_output=True, text=True)  # the script above

    assert run_trial(folder / written.stdout.strip(), folder / "trial") == [{"v": 6.0}]


def test_a_file_that_trials_may_be_reading_is_not_written_again(folder: Path) -> None:
    helper(folder, 3)
    sys.path.insert(0, str(folder))
    first = write_function(imported(), "train", "v", folder / "results")
    before = first.path.stat()

    again = write_function(imported(), "train", "v", folder / "results")

    assert again == first
    assert again.path.stat() == before


def test_a_function_of_installed_modules_alone_is_not_loaded_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(folder, 3)
    sys.path.insert(0, str(folder))
    installed = write_function(textwrap.shorten, "shorten", "v", folder / "results")
    other = write_function(imported(), "train", "v", folder / "results")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was loaded"))

    load(installed)

    with pytest.raises(pytest.fail.Exception, match="it was loaded"):
        load(other)


PACKAGE = {
    "__init__.py": "",
    "train.py": "from . import base\ndef train(lr=2):\n    from .late import V\n    return V\n",
    "base.py": "import json, yaml\n",
    "late.py": "import helper_of_a_test\nV = 1\n",
    "unused.py": "",
}


def test_the_files_of_a_function_are_its_modules_and_what_they_import_but_nothing_installed(folder: Path) -> None:
    helper(folder, 3)
    (folder / "package_of_a_test").mkdir()
    for name, source in PACKAGE.items():
        (folder / "package_of_a_test" / name).write_text(source, encoding="utf-8")
    sys.path.insert(0, str(folder))
    function = importlib.import_module("package_of_a_test.train").train

    found = load(write_function(function, "train", "v", folder / "results"))

    used = [f"package_of_a_test/{name}" for name in PACKAGE if name != "unused.py"]
    assert found == {name: str(folder / name) for name in (*used, "helper_of_a_test.py")}


def test_what_a_function_of_a_script_imports_when_it_is_called_is_of_its_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(folder, 3)
    sys.path.insert(0, str(folder))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    source = (
        "def inner():\n    from helper_of_a_test import train\n    return train(1)\ndef train(lr=2): return inner()"
    )
    exec(source, namespace)  # noqa: S102 # as a cell of a notebook
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was loaded"))

    found = load(write_function(namespace["train"], "train", "v", folder / "results"))

    assert found == {"helper_of_a_test.py": str(folder / "helper_of_a_test.py")}


def test_a_cached_function_of_a_script_travels_with_it(folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    source = "import functools\n@functools.lru_cache(maxsize=3)\ndef data(): return 5\ndef train(lr=2): return data()"
    exec(source, namespace)  # noqa: S102 # as a cell of a notebook
    file = write_function(namespace["train"], "train", "v", folder / "results")

    assert run_trial(file.path, folder / "trial") == [{"v": 5.0}]


REPORTING = """
from automl import report
def train(lr=2, checkpoint="small"):
    report(epoch=0, loss=1.5)
    if lr > 2:
        report(epoch=0, v=0.9)
    return {"note": "ok", "none": None, "v": 0.5, "checkpoint": len(checkpoint or "")}
"""


def test_what_is_returned_adds_to_what_was_reported_and_replaces_nothing(folder: Path) -> None:
    (folder / "other_of_a_test.py").write_text(REPORTING, encoding="utf-8")
    sys.path.insert(0, str(folder))
    file = write_function(imported("other_of_a_test"), "train", "v", folder / "results")

    assert run_trial(file.path, folder / "0") == [{"loss": 1.5}, {"v": 0.5, "checkpoint": 5.0}]
    assert run_trial(file.path, folder / "1", "{lr: 3}") == [{"loss": 1.5}, {"v": 0.9}, {"checkpoint": 5.0}]
    assert run_trial(file.path, folder / "2", "{lr: 2}", "--checkpoint", "abc")[1] == {"v": 0.5, "checkpoint": 3.0}
