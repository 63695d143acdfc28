"""What must hold of the repository itself: names, documents and their links, and what is imported when."""

from __future__ import annotations

import ast
import graphlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.markdown import long_lines
from tests.docs.pages import blocks
from tests.docs.reference import generated_pages
from tests.docs.site import collected

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make")
CODE = [*sorted((ROOT / "automl").rglob("*.py")), *sorted((ROOT / "depth_net").rglob("*.py"))]
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "core"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def test_nothing_is_named_for_nothing() -> None:
    named = [str(file.relative_to(ROOT)) for file in CODE if FORBIDDEN_NAMES & {file.stem, *file.parent.parts}]

    assert not named


def test_no_module_imports_itself_by_way_of_others() -> None:
    modules = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in CODE}
    imported: dict[str, set[str]] = {}
    for module, file in modules.items():
        nodes = [
            node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)
        ]
        named = {
            name for node in nodes for one in node.names for name in (f"{node.module}", f"{node.module}.{one.name}")
        }
        imported[module] = named & modules.keys() - {module}

    graphlib.TopologicalSorter(imported).prepare()  # raises CycleError with the circle


def documents() -> list[Path]:
    return [file for file in tracked_files() if file.suffix == ".md"]


def named_in(entry: object) -> list[str]:
    match entry:
        case str():
            return [entry]
        case list():
            return [name for part in entry for name in named_in(part)]
        case dict():
            return named_in(list(entry.values()))
        case _:
            return []


@pytest.mark.parametrize("file", [f for f in CODE if f.name != "__init__.py"], ids=lambda f: str(f.relative_to(ROOT)))
def test_every_module_opens_with_a_docstring(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith('"""')


def test_every_relative_link_in_the_documents_resolves() -> None:
    generated = {ROOT / "docs" / page for page in generated_pages()}
    broken = []
    for document in documents():
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
        targets = re.findall(r"\]\(([^)#\s]+)", text)
        local = [(target, (document.parent / target).resolve()) for target in targets if "://" not in target]
        missing = [target for target, path in local if not path.exists() and path not in generated]
        broken += [f"{document.relative_to(ROOT)}: {target}" for target in missing]

    assert not broken


def test_the_documents_are_wrapped_at_100_columns() -> None:
    long = {str(d.relative_to(ROOT)): long_lines(d.read_text(encoding="utf-8")) for d in documents()}

    # `python -m benchmarks.markdown FILE` wraps a file.
    assert {document: lines for document, lines in long.items() if lines} == {}


def test_the_readme_is_one_screen_that_opens_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 60
    assert [line.split()[:2] for line in blocks(ROOT / "README.md")[0].text.splitlines()] == [
        ["make", "demo"],
        ["make", "test"],
    ]


@pytest.mark.skipif(MAKE is None, reason="there is no make here")
@pytest.mark.parametrize("status", [1, 127])
def test_a_demo_with_a_wrong_python_says_so_and_leaves_nothing(tmp_path: Path, status: int) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    wrong = tmp_path / "python"
    wrong.write_text(f"#!/bin/sh\nexit {status}\n", encoding="utf-8")
    wrong.chmod(0o755)
    before = sorted(tmp_path.iterdir())

    done = subprocess.run(
        [str(MAKE), "demo", f"PYTHON={wrong}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert f"error: Python 3.11 to 3.13 is needed, found {wrong}" in done.stdout
    assert sorted(tmp_path.iterdir()) == before


def test_every_page_of_the_site_is_in_its_navigation() -> None:
    configured = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]

    pages = {str(target) for target in collected().values() if target.suffix == ".md"}

    assert set(named_in(configured)) == pages


def test_no_tracked_file_names_a_machine_path() -> None:
    pattern = re.compile(r"/(?:work|farm|root)/")
    named = []
    for file in tracked_files():
        if file.suffix in {".py", ".md", ".yaml", ".toml", ".json", ".sh", ""} and file != Path(__file__):
            text = file.read_text(encoding="utf-8", errors="ignore")
            named += [f"{file.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]

    assert not named


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["space", "--help"]], ids=" ".join)
def test_light_commands_leave_heavy_libraries_unimported(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from automl.cli.app import run_command_line\n"
        f"status = run_command_line({arguments!r})\n"
        "heavy = {'ray', 'optuna', 'mlflow', 'torch', 'pandas', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy or status else 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
