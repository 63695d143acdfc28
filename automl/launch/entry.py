"""Inside the warm server: import a console script's libraries once, then be that program in a forked child.

A console script of this environment is found by its metadata. Its module is imported, and if the module has a function
`preload`, that is called to import what the program would import later. Neither may touch a GPU or start a thread. A
forked child is what a fresh interpreter would be: own arguments, environment, working directory, log, `__main__`,
signal handlers and random state.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import os
import signal
import sys
import threading
import time
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from automl.launch.command import find_program
from automl.launch.processes import TAG_VARIABLE
from automl.launch.supervisor import Request, redirect

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint
    from types import TracebackType

TAG_LENGTH = 200
"""Bytes reserved for the tag in the memory of the server's own environment."""
_ENVIRONMENT_START = 47  # of /proc/PID/stat, counted after the closing bracket of the name; the next one is its end


def find_entry(name: str) -> EntryPoint | None:
    """Return the console script of this environment with that name, if there is one."""
    return next(iter(entry_points(group="console_scripts", name=name)), None)


class WarmEntry:
    """A preloaded console script.

    Args:
        name: The script's name.

    Raises:
        LookupError: there is no such script.
        ImportError: its module cannot be imported.
        RuntimeError: preloading has started a thread; a forked child would lack it.
    """

    def __init__(self, name: str) -> None:
        entry = find_entry(name)
        if entry is None:
            raise LookupError(name)
        self._program = find_program(name)
        before = set(threading.enumerate())
        module = importlib.import_module(entry.module)
        preload = getattr(module, "preload", None)
        if callable(preload):
            preload()
        self._entry = entry
        started = set(threading.enumerate()) - before
        if started:
            message = f"preloading {entry.module} has started {len(started)} threads"
            raise RuntimeError(message)
        self._tag_address = _find_tag()
        # What is imported lives for ever; without this the first collection in each child would copy all of its pages.
        gc.collect()
        gc.freeze()

    def prepare(self, request: Request) -> Callable[[], None]:
        """Turn this forked child into the trial; return what runs the program.

        Raises:
            OSError: the directory or the log cannot be opened.
        """
        redirect(request)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        self._write_tag(request["environment"].get(TAG_VARIABLE, ""))
        sys.argv = [str(self._program), *request["command"][1:]]
        sys.path.insert(0, str(self._program.parent))
        sys.modules["__main__"] = _main_module(self._program)
        sys.excepthook = _show_exception
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, write_through=True)
        _refresh_libraries()
        return self._run

    def _run(self) -> None:
        try:
            status = self._entry.load()()
        except SystemExit as end:
            status = end.code
        _leave(status)

    def _write_tag(self, tag: str) -> None:
        """Show the tag in /proc/PID/environ, where forked processes else show what the server was started with."""
        if self._tag_address:
            ctypes.memmove(self._tag_address, tag.encode()[:TAG_LENGTH].ljust(TAG_LENGTH, b"\0"), TAG_LENGTH)


def _find_tag() -> int:
    """Return the address of the tag's value in the environment block of this process; 0 if it is not there."""
    text = Path("/proc/self/stat").read_bytes()
    fields = text[text.rindex(b")") + 2 :].split()
    start, end = int(fields[_ENVIRONMENT_START]), int(fields[_ENVIRONMENT_START + 1])
    prefix = f"{TAG_VARIABLE}=".encode()
    offset = ctypes.string_at(start, end - start).find(prefix + b"-" * TAG_LENGTH)
    return start + offset + len(prefix) if offset >= 0 else 0


def _main_module(program: Path) -> ModuleType:
    """Return what `__main__` is in a console script; child interpreters and rank launchers look there."""
    module = ModuleType("__main__")
    module.__file__ = str(program)
    module.__dict__["__builtins__"] = __builtins__
    return module


def _refresh_libraries() -> None:
    """Undo what libraries fixed when they were imported: thread counts and random state."""
    torch = sys.modules.get("torch")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if torch is not None and threads.isdigit():
        torch.set_num_threads(int(threads))
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _leave(status: object) -> None:
    """End the process as the interpreter would, but leave the heap to the kernel: taking it down costs 0.5 s of CPU."""
    if status is not None and not isinstance(status, int):
        sys.stderr.write(f"{status}\n")
        status = 1
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 # waits for threads, as multiprocessing does
    atexit._run_exitfuncs()  # noqa: SLF001 # see above
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit((status or 0) & 0xFF)


def _show_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an uncaught exception without the frames of server and guard."""
    own = trace
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).parent == Path(__file__).parent:
            own = trace.tb_next
        trace = trace.tb_next
    traceback.print_exception(kind, error, own)
