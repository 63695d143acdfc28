"""What must hold of the repository itself: sizes, names, mirrored tests, links, and what is imported when."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = [*sorted((ROOT / "automl").rglob("*.py")), *sorted((ROOT / "depth_net").rglob("*.py"))]
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "core"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def test_no_python_file_is_longer_than_400_lines() -> None:
    files = [file for file in tracked_files() if file.suffix == ".py"]

    too_long = {
        str(f.relative_to(ROOT)): n for f in files if (n := len(f.read_text(encoding="utf-8").splitlines())) > 400
    }

    assert not too_long


def test_nothing_is_named_for_nothing() -> None:
    named = [str(file.relative_to(ROOT)) for file in CODE if FORBIDDEN_NAMES & {file.stem, *file.parent.parts}]

    assert not named


@pytest.mark.parametrize("file", [f for f in CODE if f.name != "__init__.py"], ids=lambda f: str(f.relative_to(ROOT)))
def test_every_module_opens_with_a_docstring(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith('"""')


def test_every_module_has_its_test_file() -> None:
    missing = []
    for file in CODE:
        if file.name in {"__init__.py", "__main__.py", "base.py", "model.py"}:
            continue
        relative = file.relative_to(ROOT)
        mirror = ROOT / "tests" / relative.parent / f"test_{file.stem}.py"
        if not mirror.exists():
            missing.append(str(relative))

    assert not missing


def test_every_relative_link_in_the_documents_resolves() -> None:
    broken = []
    for document in (file for file in tracked_files() if file.suffix == ".md"):
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
        targets = re.findall(r"\]\(([^)#\s]+)", text)
        local = [target for target in targets if "://" not in target]
        broken += [f"{document.relative_to(ROOT)}: {t}" for t in local if not (document.parent / t).exists()]

    assert not broken


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
