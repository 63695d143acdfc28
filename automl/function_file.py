"""The file by which the process of a trial has a Python function: a pickle, with the folders that its modules lie in.

What a script or a notebook defines is in the file itself; of other modules the file has the names. So it also has the
caller's `sys.path`, in its order: another one would find other modules under the same names. A trial sees the folder of
the study as its working folder, so what lies inside of that is searched there first, and then where it was.
`load_apart` looks beforehand, in a process of its own, whether a trial will find what is meant.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import site
import subprocess
import sys
import sysconfig
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.regular_file import followed, read_regular_file
from automl.request.location import make_private
from automl.spec.write import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FOLDER = ".functions"
_LOAD_LIMIT_S = 120.0
"""How long loading is waited for: a trial may take longer, and says itself what it lacks."""
SCRIPTS = ("__main__", "__mp_main__")
"""The names of the module of a script: in most processes, and in one that `multiprocessing` has spawned."""
_IS_LOADING: ContextVar[bool] = ContextVar("is_loading", default=False)


def write_function(function: Callable[..., object], name: str, metric: str, results: Path) -> Path:
    """Write a function to a file below a results folder, named after its content, and return the file.

    Args:
        function: Of a notebook or a script; one of an imported module is found there again by its name.
        name: Of the function.
        metric: The name of a number that it returns.
        results: Where studies lie.

    Raises:
        ConfigurationError: the function uses what no other process can have.
    """
    searched = [str(Path(entry).absolute()) if Path(entry).exists() else entry for entry in sys.path]
    content = pickle.dumps((str(Path.cwd()), searched, metric, _pickled(function, name)))
    file = results / _FOLDER / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.pkl"
    make_private(file.parent)
    if not file.is_file():  # trials of another study may be reading it
        replace_file(file, content)
    return file


def read_function(content: bytes) -> tuple[Callable[..., object], str]:
    """Return the function of a file, and the name of a number that it returns; `sys.path` becomes the caller's."""
    folder, searched, metric, pickled = pickle.loads(content)  # noqa: S301 # of this user's own process
    sys.path[:] = dict.fromkeys([*(place for entry in searched for place in _places_of(entry, folder)), *sys.path])
    token = _IS_LOADING.set(True)
    try:
        return pickle.loads(pickled), metric  # noqa: S301 # as above
    finally:
        _IS_LOADING.reset(token)


def require_no_loading() -> None:
    """Refuse a study while a function is loaded: each of its trials would start the study again.

    Raises:
        ConfigurationError: a module of a function is imported now, and starts a study.
    """
    if _IS_LOADING.get():
        problem = Problem(
            where="the module of the function",
            found="a study that starts whenever the module is imported, so in each of its own trials too",
            expected="a module that can be imported",
            fix='put the call below `if __name__ == "__main__":`',
        )
        raise ConfigurationError.from_problems([problem], subject="the call")


@contextlib.contextmanager
def load_apart(file: Path, name: str) -> Iterator[Callable[[], None]]:
    """Load a function in a process as a trial has it, meanwhile; yield what waits for the end of that.

    What is yielded raises a ConfigurationError where the function cannot be loaded, or is another one there. A function
    that names installed modules alone is not loaded: each process finds the same, and PyTorch alone takes a second.
    """
    if not _names_others(pickle.loads(read_regular_file(file))[-1]):  # noqa: S301 # written by this process
        yield lambda: None
        return
    command = [sys.executable, "-P", "-m", "automl.run_function", str(file), "--modules"]
    with subprocess.Popen(  # noqa: S603 # our own module, by this very interpreter
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield lambda: _require_same(process, name)
        finally:
            process.kill()


def _names_others(pickled: bytes) -> bool:
    """Return whether a pickle may name a module that lies elsewhere than the standard library and what is installed."""
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    installed += [*site.getsitepackages(), site.getusersitepackages()]
    skipped = {*SCRIPTS, *sys.builtin_module_names, "automl"}
    return any(
        name.encode() in pickled and not _lies_below(getattr(module, "__dict__", {}), installed)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] not in skipped
    )


def _lies_below(module: dict[str, Any], folders: list[str]) -> bool:
    places = [module.get("__file__") or "", *map(str, module.get("__path__") or ())]
    return any(Path(place).is_relative_to(folder) for place in places if place for folder in folders)


def _require_same(process: subprocess.Popen[bytes], name: str) -> None:
    try:
        answer, output = process.communicate(timeout=_LOAD_LIMIT_S)
    except subprocess.TimeoutExpired:
        return
    try:
        document = json.loads(answer)
    except ValueError:  # the process was ended
        lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
        document = {"error": lines[-1] if lines else f"it ended with status {process.returncode}"}
    found = next(_differences(document), None)
    if found is not None:
        expected = "a function whose modules are found there as they are here"
        fix = "give sys.path absolute folders, call tune where the modules were imported, or install them"
        raise ConfigurationError.single(
            "the call", where=f"the function {name}", found=found, expected=expected, fix=fix
        )


def _differences(document: dict[str, Any]) -> Iterator[str]:
    """Yield what a process that has loaded the function says against it."""
    if "error" in document:
        yield f"a new process, as each trial is one, cannot load it: {document['error']}"
    for module, there in document.get("modules", {}).items():
        here = getattr(sys.modules.get(module), "__file__", None)
        if isinstance(here, str) and str(followed(Path(here))) != there:
            yield f"the module {module} is {here} here, and would be {there} in each trial"


def _places_of(entry: str, folder: str) -> Iterator[str]:
    """Yield where a trial searches for what the caller searched in a folder: hidden files are in that folder alone."""
    path = Path(entry)
    if entry not in sys.path and path.is_relative_to(folder):
        here = Path.cwd() / path.relative_to(folder)
        if here.exists():
            yield str(here)
    yield entry


def _pickled(function: Callable[..., object], name: str) -> bytes:
    import cloudpickle  # noqa: PLC0415 - only where a function is the trainer

    # The second one is no name for `cloudpickle`, and no trial has its module.
    scripts = [module for name in SCRIPTS[1:] if (module := sys.modules.get(name)) and module.__name__ == name]
    try:
        for module in scripts:
            cloudpickle.register_pickle_by_value(module)
        pickled: bytes = cloudpickle.dumps(function)
    except Exception as error:  # a class of the user's may raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigurationError.single(
            "the call",
            where=f"the function {name}",
            found=f"something that no other process can have: {reason}",
            expected="a function of plain values, data and modules; each trial calls it in a process of its own",
            fix="open files, locks, connections and the like inside the function",
        ) from error
    finally:
        for module in scripts:
            cloudpickle.unregister_pickle_by_value(module)
    return pickled
