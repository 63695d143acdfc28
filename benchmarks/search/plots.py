"""The plots of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.search.suite_a import Setting


def draw_regret(results: dict[Setting, list[float]], title: str, file: Path) -> None:
    """Draw mean regret against trials, one line per method."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0))
    for method in dict.fromkeys(s.method for s in results):
        curves = np.array([r for s, r in results.items() if s.method == method])
        axes.plot(np.arange(1, curves.shape[1] + 1), curves.mean(axis=0), label=method)
    axes.set(xlabel="trials", ylabel="mean regret (0 best, 1 median)", yscale="log", title=title)
    _save(figure, axes, file)


def draw_epochs(results: dict[Any, dict[str, Any]], pairs: list[tuple[str, str]], file: Path) -> None:
    """Draw mean regret against epochs spent, one line per pair of sampler and rule."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0))
    for pair in pairs:
        curves = np.array([_filled(r["regret"]) for (_, p, _), r in results.items() if p == pair])
        axes.plot(curves.mean(axis=0), label=" + ".join(pair))
    axes.set(xlabel="epochs spent", ylabel="mean regret in accuracy", yscale="log", title="suite B")
    _save(figure, axes, file)


def _filled(regrets: list[float]) -> list[float]:
    return regrets[:405] + [regrets[-1]] * max(0, 405 - len(regrets))


def _save(figure: Any, axes: Any, file: Path) -> None:  # noqa: ANN401 - matplotlib's own types
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110, metadata={"Software": None})
    plt.close(figure)
