"""Collect the pages of the site in one folder: `docs/`, the generated reference, the pages of `benchmarks/`.

    python -m tests.docs.site build/docs     (`make docs` does it, and builds the site from that folder)

Links are relative to the repository in the sources. Here they are made relative to the collected pages; a link to a
file that is no page (code, data) becomes its path as text.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from pathlib import Path

from tests.docs.reference import ROOT, generated_pages

PARTS = frozenset({"not_kept.md"})
"""What a generated page includes."""
TOP = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def collected() -> dict[Path, Path]:
    """Return every file of the site: its path in the repository -> its path in the site's folder."""
    pages = {Path("docs") / name: Path(name) for name in generated_pages()}
    for path in sorted((ROOT / "docs").rglob("*")):
        if path.is_file():
            pages[path.relative_to(ROOT)] = path.relative_to(ROOT / "docs")
    for path in sorted((ROOT / "benchmarks").rglob("*")):
        if path.suffix in {".md", ".png"} and path.name not in PARTS:
            pages[path.relative_to(ROOT)] = path.relative_to(ROOT)
    return pages | {Path(name): Path("project") / name for name in TOP}


def write_site(folder: Path) -> None:
    """Write the collected pages to a folder, which is emptied first."""
    pages = collected()
    generated = generated_pages()
    shutil.rmtree(folder, ignore_errors=True)
    for source, target in pages.items():
        written = folder / target
        written.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".md":
            shutil.copyfile(ROOT / source, written)
            continue
        page = generated.get(str(target))
        text = page() if page else (ROOT / source).read_text(encoding="utf-8")
        written.write_text(relinked(text, source, pages), encoding="utf-8")


def relinked(text: str, source: Path, pages: dict[Path, Path]) -> str:
    """Return a page with its relative links as they are in the site.

    Args:
        text: The page.
        source: Its path in the repository, or where it would lie there.
        pages: What `collected` returns.
    """
    here = pages[source].parent

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        linked = Path(posixpath.normpath(source.parent / target))
        index = linked / "README.md"
        found = pages.get(linked) or pages.get(index)
        if found is None:
            return match["text"] if match["text"].startswith("`") else f"`{linked}`"
        relative = posixpath.relpath(found, here)
        return f"{match['image']}[{match['text']}]({relative}{match['anchor'] or ''})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


if __name__ == "__main__":
    write_site(Path(sys.argv[1]))
