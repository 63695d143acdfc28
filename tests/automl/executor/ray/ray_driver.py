"""A process that runs a toy study, to be killed by tests: folder and modes are its arguments."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))

from automl.errors import AutomlError
from automl.executor.ray.study import execute_study
from tests.automl.executor.toy_study import ListSearcher, ThresholdRule, toy_location, toy_plan


def main() -> int:
    """Run the study and return the exit status of what ended it."""
    root, modes = Path(sys.argv[1]), sys.argv[2:]
    searcher = ListSearcher([{"mode": mode, "quality": 0.5} for mode in modes])
    plan = replace(toy_plan(root / "skill", trials=len(modes)), max_epochs=40 if "slow" in modes else 3)
    try:
        execute_study(plan, toy_location(root), searcher=searcher, scheduler=ThresholdRule())
    except AutomlError as error:
        sys.stderr.write(f"raised: {error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
