"""What a script seems to print, write and save, read from its source: proposals for a person to check.

Names of metrics, files of metrics, names of checkpoints, and whether its epochs are counted from 0 or from 1.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_METRIC = re.compile(
    r"\b((?:val|valid|validation|test|eval|dev|cv)[_/ ](?:\w+[_/])?"
    r"(?:acc|accuracy|f1|auc|auroc|map|miou|iou|r2|bleu|score|loss|rmse|mse|mae|error|perplexity)\w*)\b",
    re.IGNORECASE,
)
_LESS = re.compile(r"loss|rmse|mse|mae|error|perplexity", re.IGNORECASE)
_SAVED = re.compile(r"[\w./={}*-]+\.(?:pth\.tar|(?:pt|pth|ckpt|bin|pkl|safetensors|joblib|npz|h5|keras)\b)")
_METRIC_FILE = re.compile(r"[\w./-]+\.(?:csv|jsonl|json)")
_RESUME = ("resume", "resume_from", "resume_from_checkpoint", "checkpoint", "ckpt", "ckpt_path", "load", "restore")
_COUNTS = re.compile(r"epoch|^e$|^ep$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a script seems to leave.

    Attributes:
        metrics: Names, those of the validation first.
        checkpoint: A pattern with ``{epoch}``, or a file of the best model; empty for none.
        metric_file: A file of metrics that it writes; empty for none.
        first_epoch: Number of its first epoch; None where it is not seen.
    """

    metrics: tuple[str, ...] = ()
    checkpoint: str = ""
    metric_file: str = ""
    first_epoch: int | None = None


def read_traces(trees: Iterable[ast.Module]) -> Traces:
    """Return what scripts seem to leave."""
    texts, written, first = [], [], None
    for tree in trees:
        texts += list(_texts(tree))
        written += list(_written(tree))
        first = _first_epoch(tree) if first is None else first
    found = [match[1] for text in texts for match in _METRIC.finditer(text)]
    metrics = dict.fromkeys(name.lower().replace(" ", "_") if " " in name else name for name in found)
    saved = [match[0] for text in texts for match in _SAVED.finditer(text)]
    numbered = next((name for name in saved if "{epoch}" in name), "")
    best = next((name for name in saved if "best" in name.lower() and "{" not in name), "")
    return Traces(
        metrics=tuple(metrics),
        checkpoint=numbered or best,
        metric_file=next((text for text in written if _METRIC_FILE.fullmatch(text)), ""),
        first_epoch=first,
    )


def direction_of(metric: str) -> str:
    """Return which way a metric with such a name usually goes: a proposal, never a decision."""
    return "minimize" if _LESS.search(metric) else "maximize"


def resume_argument(paths: Iterable[str]) -> str:
    """Return the argument that seems to take a checkpoint; empty for none."""
    return next((path for path in paths if path.replace("-", "_").lower() in _RESUME), "")


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a source; in f-strings the epoch is ``{epoch}`` and everything else that changes is ``*``."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_part(value) for value in node.values)
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def _part(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    name = ast.unparse(value.value) if isinstance(value, ast.FormattedValue) else ""
    return "{epoch}" if _COUNTS.search(name.rpartition(".")[2]) else "*"


def _written(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"open", "to_csv", "Path"}:
            words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            is_read = any(word.startswith("r") and len(word) <= 2 for word in words[1:])  # noqa: PLR2004 # a mode
            if words and not is_read and (len(words) > 1 or not ast.unparse(node.func).endswith("open")):
                yield words[0]


def _first_epoch(tree: ast.Module) -> int | None:
    """Return where the loop over epochs starts; None where that is not plain, or where ``epoch + 1`` is shown."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.For) or not isinstance(node.target, ast.Name):
            continue
        counted = node.iter
        if isinstance(counted, ast.Call) and ast.unparse(counted.func) == "range" and _COUNTS.search(node.target.id):
            first = _start_of(counted, tree)
            return None if first == 0 and _is_shown_from_one(node, node.target.id) else first
    return None


def _start_of(counted: ast.Call, tree: ast.Module) -> int | None:
    if len(counted.args) == 1:
        return 0
    start = counted.args[0]
    if isinstance(start, ast.Name):
        start = next((value for name, value in _assigned(tree) if name == start.id), start)
    value = start.value if isinstance(start, ast.Constant) else None
    return value if isinstance(value, int) and value in {0, 1} else None


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and what they are given, in the order of the source; of ``a, b = 0, 1`` each."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    for node in sorted(found, key=lambda node: node.lineno):
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            yield from ((name.id, value) for name, value in pairs if isinstance(name, ast.Name))


def _is_shown_from_one(loop: ast.For, name: str) -> bool:
    sums = [node for node in ast.walk(loop) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)]
    return any(ast.unparse(node) in {f"{name} + 1", f"1 + {name}"} for node in sums)
