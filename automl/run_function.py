"""Call the function of a trial of `automl.tune`: ``python -P -m automl.run_function FILE SPEC [--checkpoint PATH]``.

With ``--modules`` in place of a spec the function is loaded and not called, and the files of the modules that it needs
are printed. The file is one that this user's own process has written; it is a pickle, and so is code.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
from collections.abc import Mapping
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from automl.config_files import read_document
from automl.function_file import SCRIPTS, read_function
from automl.function_program import CHECKPOINT, can_continue
from automl.regular_file import followed, read_regular_file
from automl.reporting import numbers_of, report, reported_metrics

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Call the function with the values of the spec, and report what it returns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("function", type=Path)
    parser.add_argument("spec", type=Path, nargs="?")
    parser.add_argument("--checkpoint")
    parser.add_argument("--modules", action="store_true")
    given = parser.parse_args()
    if given.modules:
        _show_modules(given.function)
        return
    del sys.argv[1:]  # the function may read arguments of its own
    function, metric = read_function(read_regular_file(given.function))
    _become_script(function)
    values, environment = read_document(given.spec), dict(os.environ)
    arguments = dict(values) if isinstance(values, dict) else {}
    result = function(**arguments, **_continuing(function, given.checkpoint))
    os.environ.clear()  # the function may have changed where it reports to, and its rank
    os.environ.update(environment)
    _return(result, metric)


def _continuing(function: Callable[..., object], checkpoint: str | None) -> dict[str, str | None]:
    """Return the checkpoint as an argument; without one it is the function's own default, and None without that."""
    if not can_continue(function):
        return {}
    has_default = inspect.signature(function).parameters[CHECKPOINT].default is not inspect.Parameter.empty
    return {} if checkpoint is None and has_default else {CHECKPOINT: checkpoint}


def _return(result: Any, metric: str) -> None:  # noqa: ANN401 - what a function returns
    """Report what a function returns, of its last epoch, but for what it has reported itself, epoch by epoch.

    Raises:
        TypeError: the objective is no number; of a mapping anything else that is none is left out, with a line.
    """
    metrics = result if isinstance(result, Mapping) else {} if result is None else {metric: result}
    known, last_epoch = reported_metrics()
    left = {name: value for name, value in metrics.items() if name not in known}
    numbers, problems = numbers_of({name: value for name, value in left.items() if name != metric})
    for problem in problems:
        print(f"{problem}: it is left out of what was returned", file=sys.stderr)  # noqa: T201 - the log of the trial
    if numbers := {name: left[name] for name in left if name in numbers or name == metric}:
        report(numbers, epoch=last_epoch)


def _become_script(function: Callable[..., object]) -> None:
    """Let what stands beside a function of a script be found in `__main__`, where `pickle` looks for it."""
    own = inspect.unwrap(function)
    script = getattr(own, "__module__", "")
    if script in SCRIPTS:
        module = ModuleType(script)
        values = getattr(own, "__globals__", {})
        vars(module).update({name: value for name, value in values.items() if not name.startswith("__")})
        sys.modules["__main__"] = sys.modules[script] = module
        _send_to_spawned(module)


def _send_to_spawned(script: ModuleType) -> None:
    """Let processes that the function spawns be sent what stands beside it: they have no script to import it from.

    A worker of a pool that does not find a function dies, and the pool starts another one, for ever.
    """
    import cloudpickle  # noqa: PLC0415 - only for a function of a script

    def reduced(_: ForkingPickler, value: object) -> Any:  # noqa: ANN401 - as pickle has it
        if isinstance(value, FunctionType | type) and value.__module__ == script.__name__:
            return cloudpickle.loads, (cloudpickle.dumps(value),)
        return NotImplemented

    cloudpickle.register_pickle_by_value(script)
    ForkingPickler.reducer_override = reduced  # type: ignore[assignment, method-assign]


def _show_modules(file: Path) -> None:
    """Print the file of each module that is imported with the function, or why it cannot be loaded."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # modules may print when they are imported
    # `multiprocessing` enters the script, which this process has not, under a second name.
    before, document = {*sys.modules, *SCRIPTS}, dict[str, object]()
    try:
        read_function(read_regular_file(file))
    except BaseException as error:  # noqa: BLE001 - code of the user's; one that ends the process would end each trial
        document["error"] = f"{type(error).__name__}: {error}"
    modules = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name not in before}
    document["modules"] = {name: str(followed(Path(path))) for name, path in modules.items() if isinstance(path, str)}
    with answer:
        json.dump(document, answer)


if __name__ == "__main__":
    main()
