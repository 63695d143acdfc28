"""Inside the warm server: import a console script's libraries once, then be that program in a forked child.

A console script of this environment is found by its metadata. Its module is imported, and if the module has a function
`preload`, that is called to import what the program would import later. Neither may touch a GPU or start a thread. A
function `stand_by` is called in a child that waits for a trial, once its devices are known; it may start threads. A
forked child is what a fresh interpreter would be: own arguments, environment, working directory, log, `__main__`,
signal handlers and random state. Only /proc/PID/environ shows the server's environment.
"""

from __future__ import annotations

import atexit
import contextlib
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.metadata import EntryPoint
    from types import TracebackType

    from automl.launch.control import Request


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
        self._entry = entry
        self._program = find_program(name)
        before = set(threading.enumerate())
        self._module = importlib.import_module(entry.module)
        preload = getattr(self._module, "preload", None)
        if callable(preload):
            preload()
        started = set(threading.enumerate()) - before
        if started:
            message = f"preloading {entry.module} has started {len(started)} threads"
            raise RuntimeError(message)
        # Imported modules are never freed; without this the first collection in each child would copy all their pages.
        gc.collect()
        gc.freeze()

    def stand_by(self, environment: Mapping[str, str]) -> None:
        """Let the program start the driver of the devices that this forked child will most likely get."""
        os.environ.update(environment)
        step = getattr(self._module, "stand_by", None)
        if callable(step):
            with contextlib.suppress(Exception):  # the trial itself reports what is wrong
                step()

    def prepare(self, request: Request) -> Callable[[], None]:
        """Turn this forked child into the trial; return what runs the program."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        sys.argv = [str(self._program), *request["command"][1:]]
        sys.path.insert(0, str(self._program.parent))
        # Child interpreters and rank launchers look there for the program.
        main = ModuleType("__main__")
        main.__dict__.update(__file__=str(self._program), __builtins__=__builtins__)
        sys.modules["__main__"] = main
        sys.excepthook = _show_exception
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, write_through=True)
        # What libraries fixed when they were imported: thread counts and random state.
        torch, numpy_random = sys.modules.get("torch"), sys.modules.get("numpy.random")
        threads = os.environ.get("OMP_NUM_THREADS", "")
        if torch is not None and threads.isdigit():
            torch.set_num_threads(int(threads))
        if numpy_random is not None:
            numpy_random.seed()
        return self._run

    def _run(self) -> None:
        """Run the program and end the process as the interpreter would.

        The heap is left to the kernel: freeing it takes 0.5 s of CPU.
        """
        try:
            status = self._entry.load()()
        except SystemExit as end:
            status = end.code
        if status is not None and not isinstance(status, int):
            sys.stderr.write(f"{status}\n")
            status = 1
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 # waits for threads, as multiprocessing does
        atexit._run_exitfuncs()  # noqa: SLF001 # see above
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit((status or 0) & 0xFF)


def _show_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an uncaught exception without the frames of server and supervisor."""
    own = trace
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).parent == Path(__file__).parent:
            own = trace.tb_next
        trace = trace.tb_next
    traceback.print_exception(kind, error, own)
