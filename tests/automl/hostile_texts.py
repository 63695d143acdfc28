"""Texts that cost a reader without limits minutes or gigabytes, by name; of about as many characters as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _chain_of_merges(size: int) -> str:
    """Each mapping merges the one before."""
    links = range(1, max(size // 35, 2))
    return "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{k{i}: 1, <<: *a{i - 1}}}\n" for i in links)


def _many_merges(size: int) -> str:
    """One mapping merges a large one again and again."""
    keys = ",".join(f"k{i}: 1" for i in range(size // 20))
    return f"b: &b {{{keys}}}\nc: {{<<: [{','.join(['*b'] * (size // 6))}]}}\n"


YAML: dict[str, Callable[[int], str]] = {
    "a flat list": lambda size: f"[{','.join('1' * (size // 2))}]",
    "a flat block": lambda size: "- 1\n" * (size // 4),
    "nested lists": lambda size: "[" + ("[" * 60 + "]" * 60 + ",") * (size // 121) + "]",
    "empty lists": lambda size: "[" + "[]," * (size // 3) + "]",
    "keys": lambda size: "".join(f"k{i}: 1\n" for i in range(size // 12)),
    "aliases": lambda size: f"a: &a 1\nb: [{'*a,' * (size // 3)}]",
    "a chain of merges": _chain_of_merges,
    "many merges": _many_merges,
    "base 60": lambda size: "a: 1" + ":1" * (size // 2),
    "base 60 by its tag": lambda size: 'a: !!int "1' + ":1" * (size // 2) + '"',
    "fractions of base 60": lambda size: "a: !!float 1" + ":1" * (size // 2),
    "digits": lambda size: "a: " + "1" * size,
    "documents": lambda size: "---\n" * (size // 4),
    "directives": lambda size: "".join(f"%TAG !a{i}! tag:x\n" for i in range(size // 20)),
    "depth": lambda size: "[" * size,
}
JSON: dict[str, Callable[[int], str]] = {
    "a flat list": lambda size: f"[{','.join('1' * (size // 2))}]",
    "empty objects": lambda size: f"[{','.join(['{}'] * (size // 3))}]",
    "depth": lambda size: "[" * size,
    "digits": lambda size: "1" * size,
}
TOML: dict[str, Callable[[int], str]] = {
    "a flat list": lambda size: f"a = [{','.join('1' * (size // 2))}]",
    "tables": lambda size: "".join(f"[a{i}]\n" for i in range(size // 10)),
    "parts of a key": lambda size: "a." * (size // 2) + "b = 1",
    "parts of a table's name": lambda size: "[" + "a." * (size // 2) + "b]",
    "depth": lambda size: "a = " + "[" * size,
}
