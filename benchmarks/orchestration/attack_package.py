"""Attacks of packages and of texts: expensive ones, names that act on terminals, and mutations of packages and logs."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import os
import shutil
import string
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

from automl.cli.app import run_command_line
from automl.cli.terminal import VisibleStream
from automl.config_files import MAX_BYTES
from automl.errors import ConfigurationError
from automl.skill.catalog import list_skills
from automl.skill.load import load_skill
from automl.storage.documents import CHECK, to_line
from tests.automl import hostile_texts
from tests.automl.cli.test_terminal import C1, RED, TITLE
from tests.automl.skill import fuzz_packages
from tests.automl.skill.packages import block, write_skill

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

_EVIL = (TITLE, RED, C1, "\r", "\x08", "\x7f", "\u202e", "\u2028", "[bold]", "[/]", "x")
_LONGEST_CPU_S = 1.5
_FILES = {"references/skill_info.yaml": "YAML", "references/spec_template_train.yaml": "YAML"}
_SCHEMA = "schemas/train.schema.json"
_FAULTLESS = {0, 1, 2, 3, 4, 5, 6}
_HUGE = (10**400, -(10**400), "1e400", "-1e400", "1e-400", math.inf, [10**400], {"maximum": 10**400})
_TIMES: Any = (0, 1e300, math.nan, "", "nan", "2026-13-45T99:99:99", "0001-01-01T00:00:00+23:59", [], {}, True, None)


def expensive(_: Path, source: random.Random, folder: Path) -> str:
    """Put a text that is expensive to read into a package: it is refused in a second, and the others are listed."""
    good = write_skill(folder / "bank/good", template={"train": {"lr": 0.1}})
    evil = write_skill(folder / "bank/evil", schema={"properties": {}}, template={"train": {"lr": 0.1}})
    name = source.choice([*_FILES, _SCHEMA])
    texts = hostile_texts.YAML if name in _FILES else hostile_texts.JSON
    kind, size = source.choice(list(texts)), source.choice([1_000, 50_000, 500_000, MAX_BYTES, 4 * MAX_BYTES])
    (evil / name).write_text(texts[kind](size), encoding="utf-8")
    began_s = time.process_time()
    listed = {entry.path for entry in list_skills(folder / "bank")}
    with contextlib.suppress(ConfigurationError):
        load_skill(str(evil))
    took_s = time.process_time() - began_s
    if took_s > _LONGEST_CPU_S:
        return f"{kind} of {size} in {name} took {took_s:.1f} s of processor time"
    return "" if good in listed else f"{kind} in {name}: the good package is not listed"


def escaped(_: Path, source: random.Random, folder: Path) -> str:
    """Write control characters into names and texts of a package: no command sends one to the terminal."""
    evil = "".join(source.choices(_EVIL, k=6))
    leaf = {"type": "string", "default": evil, "enum": [evil, "x"], "automl_enabled": True}
    info: dict[str, Any] = {"name": evil, "description": evil, "network_arch": f"b{evil}", evil: 1}
    info["key_defaults"], info["metric"] = {f"k{evil}": evil}, evil
    info = {key: info[key] for key in source.sample(list(info), source.randint(1, len(info)))}
    schema = {"properties": {"train": block(plain=leaf, **{f"p{evil}": leaf})}}
    skill = write_skill(folder / "skill", info=info, schema=schema, template={"train": {"plain": evil}, evil: evil})
    command = source.choice(
        [
            ["list", str(folder)],
            ["space", "--skill", str(skill), "--search", source.choice(["train.plain", "all", f"train.p{evil}"])],
            ["check", "--skill", str(skill)],
            ["plan", "--skill", str(skill), *_METRIC, "--search", "all", *source.choice([[], ["--show-commands"]])],
        ]
    )
    shown = called(command, folder)[1]
    acts = sorted({f"{ord(c):#x}" for c in shown if _acts(c)})
    return f"{command[:1]} with {evil!a} sends {', '.join(acts)}" if acts else ""


_METRIC = ("--metric", "val/x", "--direction", "maximize")


def _acts(character: str) -> bool:
    return not character.isprintable() and character not in string.whitespace.replace("\x0b", "").replace("\x0c", "")


def mutated(_: Path, source: random.Random, folder: Path) -> str:
    """Mutate a package, bounds beyond all floats included: no command ends with a traceback."""
    with mock.patch.object(fuzz_packages, "JUNK", (*fuzz_packages.JUNK, *_HUGE * 2)):
        package = fuzz_packages.mutated(source)
    fuzz_packages.write(package, folder / "package")
    search = ["--search", source.choice(fuzz_packages.SEARCHES)]
    search = search if source.random() < 0.8 else []  # noqa: PLR2004 # mostly
    policy = source.choice([[], ["--policy", "on"], ["--policy", "off"]])
    skill = ["--skill", str(folder / "package"), *search]
    commands = (
        ["space", *skill],
        ["plan", "--show-commands", *policy, *_METRIC, *skill],
        ["plan", "--json", *policy, *skill],
        ["check", *policy, *skill],
        ["list", str(folder)],
    )
    return next((problem for command in commands if (problem := _traceback(command, folder))), "")


def garbled(study: Path, source: random.Random, folder: Path) -> str:
    """Change values in the log and the documents of a study, with right checks: no command ends with a traceback."""
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    lines = [json.loads(line) for line in (root / "events.jsonl").read_bytes().splitlines()]
    names = ("plan.json", "best.json", "evaluations.json", "record.json")
    documents = {name: json.loads((root / name).read_bytes()) for name in names}
    for document in (*lines, *documents.values()):
        del document[CHECK]
    junk = (*fuzz_packages.JUNK, *_HUGE, *_TIMES)
    for _ in range(source.randint(1, 4)):
        changed = source.choice([source.choice(lines), documents[source.choice(names)]])
        if "time" in changed and source.random() < 0.3:  # noqa: PLR2004 # often
            changed["time"] = source.choice(_TIMES)
        else:
            container, key = source.choice(list(_places(changed)))
            container[key] = copy.deepcopy(source.choice(junk))
    (root / "events.jsonl").write_text("".join(map(_line, lines)), encoding="utf-8")
    for name, document in documents.items():
        (root / name).write_text(_line(document), encoding="utf-8")
    commands = [[name, str(root)] for name in ("report", "status", "compare", "logs")]
    commands += [["status", "--json", str(root)], ["list", "--studies", str(root.parent)], ["clean", str(root.parent)]]
    return next((problem for command in commands if (problem := _traceback(command, folder))), "")


def _line(document: dict[str, Any]) -> str:
    with mock.patch("json.dumps", _DUMPS_ALL):
        return to_line(document)


def _DUMPS_ALL(document: object, **_: object) -> str:  # noqa: N802 # in place of json.dumps
    return json.JSONEncoder().encode(document)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 # any document
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, child in items:
        yield node, key
        yield from _places(child)


def _traceback(command: list[str], folder: Path) -> str:
    try:
        status, shown = called(command, folder)
    except Exception as error:  # noqa: BLE001 # what is looked for
        return f"{' '.join(command[:2])}: {type(error).__name__}: {str(error)[:200]}"
    return "" if status in _FAULTLESS else f"{' '.join(command[:2])}: status {status}: {shown[-200:]}"


def called(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command as the command line does; return its status and what it has written."""
    written = io.StringIO()
    stream = cast("io.StringIO", VisibleStream(written))
    results = {"AUTOML_RESULTS": str(folder / "results")}
    with (
        mock.patch.dict(os.environ, results),
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        status = run_command_line(command)
    return status, written.getvalue()


KINDS = {
    "a package is expensive to read": expensive,
    "a package acts on the terminal": escaped,
    "a package is mutated": mutated,
    "a log is garbled with right checks": garbled,
}
