"""The files of a user's own code, by its imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.program.sources import GONE, digests, named, with_imports

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, sources: dict[str, str]) -> None:
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source, encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import helper", ["helper.py"]),
        ("import pkg.sub", ["pkg/sub.py", "pkg/__init__.py"]),
        ("from pkg import sub", ["pkg/__init__.py", "pkg/sub.py"]),
        ("def f():\n    import helper as h", ["helper.py"]),
        ("from pkg.deep.far import up", ["pkg/deep/far.py", "pkg/__init__.py", "pkg/deep/__init__.py", "pkg/sub.py"]),
        ("import helper.train, json, yaml, nothing", []),
        ("from . import helper", ["helper.py"]),
        ("from .. import helper", []),
        ("import", []),
        ("import ring", ["ring.py"]),
    ],
)
def test_imports_are_followed_as_python_finds_them(tmp_path: Path, source: str, found: list[str]) -> None:
    write(
        tmp_path,
        {
            "train.py": source,
            "helper.py": "",
            "pkg/__init__.py": "",
            "pkg/sub.py": "",
            "pkg/deep/__init__.py": "",
            "pkg/deep/far.py": "from ..sub import up",
            "ring.py": "import train, ring",
        },
    )

    files = with_imports([tmp_path / "train.py"], [tmp_path])

    assert [file.relative_to(tmp_path).as_posix() for file in files] == ["train.py", *found]


def test_every_file_that_is_named_counts_however_many_there_are(tmp_path: Path) -> None:
    write(tmp_path, {f"m{n}.py": "import beside" for n in range(400)} | {"beside.py": ""})

    found = list(with_imports([tmp_path / f"m{n}.py" for n in range(400)], [tmp_path]))

    assert len(found) == 401


def test_two_files_of_one_name_keep_a_name_each(tmp_path: Path) -> None:
    inside, *outside = (tmp_path / name for name in ("study/pkg/a.py", "x/a.py", "y/a.py"))

    found = named([inside, *outside], [tmp_path / "study"])

    assert found == {"pkg/a.py": inside, "a.py": outside[0], str(outside[1]): outside[1]}


def test_a_file_that_is_gone_has_no_digest(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "A = 1"})

    found = digests({"a.py": tmp_path / "a.py", "b.py": tmp_path / "b.py", "pkg": tmp_path})

    assert len(found["a.py"]) == 64
    assert [found["b.py"], found["pkg"]] == [GONE, GONE]
