"""What suite B's tables say about given runs."""

from __future__ import annotations

from typing import Any

from benchmarks.search.suite_b import EPOCH_BUDGET, RANDOM, TASKS, rules_of, table_of

AUTO, I_EPOCH = ("ours:auto", "auto"), ("ours:auto", "i_epoch")


def run(found_at: int, *, last: float = 0.0, revisits: int = 0, trials: int = 40) -> dict[str, Any]:
    return {"regret": [0.5] * (found_at - 1) + [last] * (406 - found_at), "revisits": revisits, "trials": trials}


def cells(table: str, *names: str) -> list[str]:
    row = next(line for line in table.splitlines() if line.startswith(f"| {' | '.join(names)} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_epochs_count_until_a_run_has_what_random_search_has_in_the_end_and_to_the_end_if_it_never_has() -> None:
    results: dict[Any, Any] = {(task, RANDOM, 0): run(300, last=0.1) for task in TASKS}
    results |= {(task, AUTO, 0): run(100, last=0.1) for task in TASKS[:2]}
    results[TASKS[2], AUTO, 0] = run(100, last=0.2)

    assert cells(table_of(results), *AUTO)[-2].startswith(f"{(100 + 100 + EPOCH_BUDGET) / 3:.0f} [")


def test_revisits_are_a_share_of_the_trials_that_were_run() -> None:
    results: dict[Any, Any] = {(task, RANDOM, 0): run(300) for task in TASKS}
    results |= {(task, AUTO, 0): run(100, revisits=2, trials=15) for task in TASKS}

    assert cells(table_of(results), *AUTO)[-1] == "40 %"


def test_the_rules_are_compared_run_by_run() -> None:
    results: dict[Any, Any] = {(task, RANDOM, 0): run(300, last=0.1) for task in TASKS}
    results |= {(task, AUTO, 0): run(100, last=0.1) for task in TASKS}
    results |= {(task, I_EPOCH, 0): run(100, last=0.3) for task in TASKS}

    found = cells(rules_of(results), *I_EPOCH)

    assert found[2] == "+0.0000 [+0.0000, +0.0000]"
    assert found[-2] == "-0.2000 [-0.2000, -0.2000]"
    # The other rule never has what random search has in the end.
    fewer = f"{100 - EPOCH_BUDGET:+d}"
    assert found[-1] == f"{fewer} [{fewer}, {fewer}]"
