"""The file by which the process of a trial has a Python function: a pickle, with the folders that its modules lie in.

What a script or a notebook defines is in the file itself; of other modules the file has the names. So it also has the
caller's `sys.path`, in its order: another one would find other modules under the same names. A trial sees the folder of
the study as its working folder, so what lies inside of that is searched there first, and then where it was.
`load_apart` looks beforehand, in a process of its own, whether a trial will find what is meant.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import hashlib
import io
import json
import pickle
import site
import subprocess
import sys
import sysconfig
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.program.sources import imported_files, named, with_imports
from automl.regular_file import followed
from automl.request.location import make_private
from automl.spec.write import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_FOLDER = ".functions"
_LOAD_LIMIT_S = 120.0
"""How long loading is waited for: a trial may take longer, and says itself what it lacks."""
SCRIPTS = ("__main__", "__mp_main__")
"""The names of the module of a script: in most processes, and in one that `multiprocessing` has spawned."""
_IS_LOADING: ContextVar[bool] = ContextVar("is_loading", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFile:
    """A function as the processes of its trials have it.

    Attributes:
        path: Of the file.
        name: Of the function.
        is_to_load: It may name modules that are not installed.
        imported: Modules that what travels in the file itself imports when it is called.
    """

    path: Path
    name: str
    is_to_load: bool
    imported: tuple[str, ...]


def write_function(function: Callable[..., object], name: str, metric: str, results: Path) -> FunctionFile:
    """Write a function to a file below a results folder, named after its content, and return what is known of it.

    Args:
        function: Of a notebook or a script; one of an imported module is found there again by its name.
        name: Of the function.
        metric: The name of a number that it returns.
        results: Where studies lie.

    Raises:
        ConfigurationError: the function uses what no other process can have.
    """
    searched = [str(Path(entry).absolute()) if Path(entry).exists() else entry for entry in sys.path]
    pickled, codes = _pickled(function, name)
    content = pickle.dumps((str(Path.cwd()), searched, metric, pickled))
    file = results / _FOLDER / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.pkl"
    make_private(file.parent)
    if not file.is_file():  # trials of another study may be reading it
        replace_file(file, content)
    imported = tuple(dict.fromkeys(found for code in codes for found in _imported(code)))
    return FunctionFile(path=file, name=name, is_to_load=_names_others(pickled), imported=imported)


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
def load_apart(function: FunctionFile) -> Iterator[Callable[[], dict[str, str]]]:
    """Load a function in a process as a trial has it, meanwhile; yield what waits for the end of that.

    What is yielded returns the files of the user's own that it runs: name -> path. It raises a ConfigurationError where
    the function cannot be loaded, or is another one there. A function that names installed modules alone is not loaded:
    each process finds the same, and PyTorch alone takes a second.
    """
    if not function.is_to_load:
        yield lambda: _own_files({}, function.imported)
        return
    command = [sys.executable, "-P", "-m", "automl.run_function", str(function.path), "--modules"]
    with subprocess.Popen(  # noqa: S603 # our own module, by this very interpreter
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield lambda: _own_files(_same_modules(process, function.name), function.imported)
        finally:
            process.kill()


def _own_files(modules: Mapping[str, str], imported: Iterable[str]) -> dict[str, str]:
    """Return the files of modules that are not installed, and of what they import in turn, by their names."""
    installed, own = _installed(), str(followed(Path(__file__).parent.parent))
    searched = [str(followed(Path(entry))) for entry in sys.path]
    roots = [Path(one) for one in searched if one != own and Path(one).is_dir() and not _lies_in(one, installed)]
    files = [
        Path(path)
        for name, path in modules.items()
        if name.partition(".")[0] != "automl" and not _lies_in(path, installed)
    ]
    files += [file for name in imported for file in imported_files(name, roots)]
    return {name: str(file) for name, file in named(with_imports(files, roots), roots).items()}


def _imported(code: CodeType) -> Iterator[str]:
    """Yield the modules that code may import: ``a``, and of ``from a import b`` ``a.b`` too."""
    module = ""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            module = step.argval
            yield module
        elif step.opname == "IMPORT_FROM":
            yield f"{module}.{step.argval}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imported(constant)


def _names_others(pickled: bytes) -> bool:
    """Return whether a pickle may name a module that lies elsewhere than the standard library and what is installed."""
    installed = _installed()
    skipped = {*SCRIPTS, *sys.builtin_module_names, "automl"}
    return any(
        name.encode() in pickled and not _lies_below(getattr(module, "__dict__", {}), installed)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] not in skipped
    )


def _installed() -> list[str]:
    """Return the folders of the standard library and of what is installed, links followed."""
    found = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return [*dict.fromkeys([*found, *(str(followed(Path(folder))) for folder in found)])]


def _lies_below(module: dict[str, Any], folders: list[str]) -> bool:
    places = [module.get("__file__") or "", *map(str, module.get("__path__") or ())]
    return any(_lies_in(place, folders) for place in places if place)


def _lies_in(place: str, folders: list[str]) -> bool:
    return any(Path(place).is_relative_to(folder) for folder in folders)


def _same_modules(process: subprocess.Popen[bytes], name: str) -> dict[str, str]:
    """Return the files of the modules that a process has loaded with the function; none where it takes too long."""
    try:
        answer, output = process.communicate(timeout=_LOAD_LIMIT_S)
    except subprocess.TimeoutExpired:
        return {}
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
    modules: dict[str, str] = document["modules"]
    return modules


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


def _cached(function: Callable[..., object], parameters: dict[str, Any]) -> Callable[..., object]:
    cached: Callable[..., object] = functools.lru_cache(**parameters)(function)
    return cached


def _pickled(function: Callable[..., object], name: str) -> tuple[bytes, list[CodeType]]:
    """Return a function as bytes, and the code in them."""
    import cloudpickle  # noqa: PLC0415 - only where a function is the trainer

    codes: list[CodeType] = []

    class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc] # it has no types
        def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - whatever a function uses
            if isinstance(obj, functools._lru_cache_wrapper) and obj.__module__ in SCRIPTS:  # noqa: SLF001 # its type
                return _cached, (obj.__wrapped__, obj.cache_parameters())  # `pickle` has its name alone
            made = super().reducer_override(obj)
            if made is not NotImplemented and isinstance(obj, FunctionType):  # not by its name
                codes.append(obj.__code__)
            return made

    # The second one is no name for `cloudpickle`, and no trial has its module.
    scripts = [module for name in SCRIPTS[1:] if (module := sys.modules.get(name)) and module.__name__ == name]
    pickled = io.BytesIO()
    try:
        for module in scripts:
            cloudpickle.register_pickle_by_value(module)
        Pickler(pickled).dump(function)
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
    return pickled.getvalue(), codes
