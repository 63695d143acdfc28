"""The word list: private words that code and documents do not use, and the standard word for each.

The words, the checked packages and the legitimate uses are data in `words.toml`.

    python -m tests.words                  check what words.toml lists as clean; exit status 1 if a word is found
    python -m tests.words PATH ...         show every use below these paths
    python -m tests.words --count [PATH]   the number of uses, by package
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).parent.parent
TABLE = Path(__file__).with_suffix(".toml")
SUFFIXES = frozenset({".py", ".md", ".yaml", ".toml", ".json", ".sh", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use of a private word."""

    file: str
    line: int
    word: str
    instead: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word}  ->  {self.instead}\n    {self.text.strip()}"


class WordList:
    """The words of `words.toml` as one regular expression.

    Args:
        table: The content of the file.
    """

    def __init__(self, table: Mapping[str, object]) -> None:
        self.clean: list[str] = list(_texts(table["clean"]))
        self._allow = re.compile("|".join(_texts(table["allow"])), re.IGNORECASE)
        words, names = table["words"], table["names"]
        if not isinstance(words, dict) or not isinstance(names, dict):
            raise TypeError("words.toml: [words] and [names] are tables")
        self._instead: dict[str, str] = {_key(word): instead for word, instead in words.items()}
        self._instead_of_name: dict[str, str] = names
        self._pattern = _pattern(words, names)

    def uses(self, paths: Iterable[str]) -> Iterator[Use]:
        """Yield every use of a private word in the tracked text files below some paths."""
        for name in _tracked(paths):
            text = (ROOT / name).read_text(encoding="utf-8", errors="ignore")
            for number, line in enumerate(text.splitlines(), start=1):
                yield from self.in_line(name, number, line)

    def in_line(self, name: str, number: int, line: str) -> Iterator[Use]:
        """Yield every use in one line of a file."""
        for match in self._pattern.finditer(self._allow.sub(lambda allowed: " " * len(allowed[0]), line)):
            key = match["name"] or _key(match["word"] or match["part"])
            instead = self._instead_of_name.get(key) or self._instead[key]
            yield Use(file=name, line=number, word=match[0], instead=instead, text=line)


def main(arguments: list[str]) -> int:
    """Check, show or count, and return the exit status."""
    words = WordList(tomllib.loads(TABLE.read_text(encoding="utf-8")))
    paths = [argument for argument in arguments if argument != "--count"]
    if "--count" in arguments:
        counts = Counter(_package_of(use.file) for use in words.uses(paths or ["."]))
        for package, count in sorted(counts.items()):
            print(f"{count:6}  {package}")  # noqa: T201 - a command
        print(f"{counts.total():6}  in all")  # noqa: T201
        return 0
    found = list(words.uses(paths or words.clean))
    for use in found:
        print(use)  # noqa: T201
    if found:
        print(f"{len(found)} private words; tests/words.toml has the list and the legitimate uses")  # noqa: T201
    return 1 if found else 0


def _package_of(name: str) -> str:
    parts = Path(name).parts
    if len(parts) == 1:
        return "."
    return "/".join(parts[: 2 if parts[0] in {"automl", "depth_net", "tests"} and len(parts) > 2 else 1])


def _key(word: str) -> str:
    return re.sub("[-_ ]", "", word).lower()


def _pattern(words: Iterable[str], names: Iterable[str]) -> re.Pattern[str]:
    spelled = "|".join(re.sub("[- ]", "[-_ ]?", word) for word in sorted(words, key=len, reverse=True))
    parts = "|".join(re.escape(word.capitalize()) for word in sorted(words, key=len, reverse=True))
    cased = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    ending = r"(?:e?s|ed|ing|er|ers)?(?![a-z])(?!(?<=[A-Z])[A-Z])"
    return re.compile(
        rf"(?<![A-Za-z])(?P<name>{cased})(?! ?[a-z])"
        rf"|(?<![A-Za-z])(?P<word>(?i:{spelled})){ending}"
        rf"|(?<=[a-z])(?P<part>{parts}){ending}"
    )


def _tracked(paths: Iterable[str]) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    own = {"tests/words.toml", "tests/words.py", "tests/test_words.py", "constraints.txt"}
    names = [name for name in listed.stdout.splitlines() if Path(name).suffix in SUFFIXES and name not in own]
    return [name for name in names if (ROOT / name).is_file() and not name.startswith(("schemas/depth_net", "LICENSE"))]


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"words.toml: {value!r} is no list")
    return [str(item) for item in value]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
