"""The console blocks of the README and of the documentation run as they stand.

All pages start in a folder with the study `results/first`, which the first tutorial makes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST = ROOT / "docs/tutorial/first_study.md"
# A busy machine takes minutes for what an idle one does in seconds.
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]


def run_blocks(page: Path, chosen: Iterable[Block], folder: Path) -> None:
    """Write the files and run the commands of a page.

    Raises:
        AssertionError: a command did not end as its page says (exit status 0, or the one in its comment).
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOML_", "MLFLOW_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    exported = ""
    for block in chosen:
        if block.is_file:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", exported + block.text],  # noqa: S607
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{page.relative_to(ROOT)}:{block.line}\n{done.stdout}\n{done.stderr}"
        exported += "".join(f"{line}\n" for line in block.text.splitlines() if line.startswith("export "))


@pytest.fixture(name="first_folder", scope="session")
def first_folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first tutorial was run, once for all processes of pytest."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = shared / "first"
    is_whole = shared / "first.whole"
    with (shared / "first.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            run_blocks(FIRST, [block for block in blocks(FIRST) if block.is_file or block.is_fast], folder)
            is_whole.touch()
    assert is_whole.exists(), f"{FIRST.relative_to(ROOT)} failed, see the first error"
    return folder


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page != FIRST and any(block.is_fast for block in blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_commands_of_a_page_run(page: Path, first_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "user"
    shutil.copytree(first_folder, folder, symlinks=True)

    run_blocks(page, [block for block in blocks(page) if block.is_file or block.is_fast], folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.is_slow for block in blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_slow_commands_of_a_page_run(page: Path, first_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "user"
    shutil.copytree(first_folder, folder, symlinks=True)

    # The first tutorial was run already up to its slow blocks.
    run_blocks(page, [b for b in blocks(page) if b.is_slow or (page != FIRST and (b.is_file or b.is_fast))], folder)


def test_the_first_tutorial_makes_the_study_of_the_other_pages(first_folder: Path) -> None:
    assert (first_folder / "results/first/best.json").is_file()


def test_the_fields_of_the_result_document_are_on_their_page(first_folder: Path) -> None:
    shown = subprocess.run(
        [Path(sys.executable).with_name("automl"), "status", "results/first", "--json"],
        cwd=first_folder,
        capture_output=True,
        text=True,
        check=True,
    )
    page = (ROOT / "docs/reference/documents.md").read_text(encoding="utf-8")

    document = json.loads(shown.stdout)

    fields = [*document, *document["best"], *document["trials"][0], *document["mlflow"]]
    assert {field for field in fields if f"`{field}`" not in page} == set()


def test_a_block_that_is_not_run_says_what_it_needs() -> None:
    untold = [
        f"{page.relative_to(ROOT)}:{block.line}: {block.title}"
        for page in PAGES
        for block in blocks(page)
        if block.is_console and block.title and not block.title.startswith(("Needs: ", "Slow: "))
    ]

    assert not untold
