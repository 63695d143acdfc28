"""Call the function of a trial of `automl.tune`: ``python -m automl.run_function FILE SPEC [--checkpoint PATH]``.

The file is one that this user's own process has written; it is a pickle, and so is code.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path

from automl.config_files import read_document
from automl.regular_file import read_regular_file
from automl.reporting import report


def main() -> None:
    """Call the function with the values of the spec, and report what it returns."""
    import cloudpickle  # noqa: PLC0415 - only here

    parser = argparse.ArgumentParser()
    parser.add_argument("function", type=Path)
    parser.add_argument("spec", type=Path)
    parser.add_argument("--checkpoint")
    given = parser.parse_args()
    sys.path.insert(0, str(Path.cwd()))  # modules beside the notebook
    function, metric = cloudpickle.loads(read_regular_file(given.function))
    values = read_document(given.spec)
    arguments = dict(values) if isinstance(values, dict) else {}
    if "checkpoint" in inspect.signature(function).parameters:
        arguments["checkpoint"] = given.checkpoint
    result = function(**arguments)
    if isinstance(result, Mapping):
        report(result)
    elif result is not None:
        report({metric: result})


if __name__ == "__main__":
    main()
