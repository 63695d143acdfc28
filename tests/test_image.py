"""The image of the tool: its file agrees with the project, and where an engine is, it is built and runs a study."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.contracts.engines import shared_libraries

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = set(PROJECT["optional-dependencies"]) - {"dev", "docs"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
BASE = "automl-tests/base:1"
PROGRAMS = ("sh", "mkdir", "chmod", "rm", "env", "cat")
"""What the file's own lines run, apart from Python."""
STUDIES = {"": "toy/quick", "depth": "depth_net_mono/demo --set train.num_epochs=3"}
"""Extra -> what its image runs."""
OF_WHEELS = ("libstdc++.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def kept() -> set[str]:
    """Return the first levels that the engine is sent."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in lines
    return {line[1:] for line in lines if line.startswith("!")}


def test_its_python_is_one_of_the_projects() -> None:
    (version,) = re.findall(r"^ARG BASE=python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)

    assert version in SpecifierSet(PROJECT["requires-python"])
    assert f"`python:{version}-slim`" in PAGE


def test_its_extras_are_the_projects() -> None:
    (default,) = re.findall(r"^ARG EXTRA=(.*)$", DOCKERFILE, re.MULTILINE)
    (row,) = re.findall(r"^\| `EXTRA` \| (.*)$", PAGE, re.MULTILINE)

    assert default in EXTRAS
    assert set(re.findall(r"`([\w]+)`", row)) == EXTRAS


def test_the_page_names_every_build_argument() -> None:
    arguments = {argument.partition("=")[0] for argument in instructions("ARG")}

    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == arguments
    assert set(re.findall(r"--build-arg (\w+)=", PAGE)) == arguments


def test_it_is_sent_what_the_build_needs_and_nothing_else() -> None:
    targets = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "constraints.txt", "hatch_build.py", *PROJECT["license-files"], *targets["packages"]}
    needed |= {fragment["path"] for fragment in readme_fragments()} | set(targets["force-include"])

    assert kept() == needed
    assert all((ROOT / name).exists() for name in needed)
    assert not [name for name in needed for hidden in (".git", ".venv", "results") if fnmatch.fnmatch(name, hidden)]


def readme_fragments() -> list[dict[str, str]]:
    fragments: list[dict[str, str]] = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["fragments"]
    return fragments


def test_it_installs_the_pinned_versions_and_runs_the_program_without_root() -> None:
    (entry,) = instructions("ENTRYPOINT")

    assert "-c constraints.txt" in DOCKERFILE
    assert entry == '["automl"]'
    assert "automl" in PROJECT["scripts"]
    assert int(instructions("USER")[-1].partition(":")[0]) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("extra", "study"), STUDIES.items())
def test_the_image_is_built_and_runs_a_study(docker_host: str, tmp_path: Path, extra: str, study: str) -> None:
    environment = {**os.environ, "DOCKER_HOST": docker_host, "DOCKER_BUILDKIT": "0"}

    def docker(*words: str) -> str:
        done = subprocess.run(["docker", *words], env=environment, capture_output=True, text=True, check=False)  # noqa: S607 # the one under test
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    write_base(tmp_path / "base.tar", wheels(tmp_path / "wheels", extra))
    variables = ("PATH=/opt/python/bin:/bin", "LD_LIBRARY_PATH=/opt/python/lib", "PIP_NO_INDEX=1")
    changes = [word for text in (*variables, "PIP_FIND_LINKS=/wheels") for word in ("--change", f"ENV {text}")]
    docker("import", *changes, str(tmp_path / "base.tar"), BASE)
    docker("build", "--network", "none", "--tag", "automl-tests/automl:1", "--build-arg", f"BASE={BASE}",
           "--build-arg", f"EXTRA={extra}", str(ROOT))  # fmt: skip
    work = tmp_path / "work"
    work.mkdir(mode=0o777)
    work.chmod(0o777)
    run = ("run", "--rm", "--init", "--network", "none", "--volume", f"{work}:/work", "--shm-size", "2g")

    assert docker(*run, "automl-tests/automl:1", "--version") == f"automl, version {PROJECT['version']}\n"
    shown = docker(*run, "automl-tests/automl:1", "run", *study.split(), "--trials", "2", "--time", "1h", "--yes")

    assert "all trials have ended (2)" in shown
    (best,) = work.glob("results/*/best_spec.yaml")
    assert best.stat().st_uid != 0


def wheels(folder: Path, extra: str) -> Path:
    """Download what the core, an extra and their build need, as this machine's pip finds it."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--dest", str(folder)]
    pins = ["-c", str(ROOT / "constraints.txt")]
    requires = PYPROJECT["build-system"]["requires"]
    of_extra = PROJECT["optional-dependencies"][extra] if extra else []
    for words in ([*pins, *PROJECT["dependencies"], *of_extra], [*requires]):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the packages cannot be downloaded here: {done.stderr[-300:]}")
    return folder


def write_base(archive: Path, wheels: Path) -> None:
    """Write a base like `python:slim`: this interpreter with its library, a shell, and the wheels."""
    library, interpreter = Path(sysconfig.get_path("stdlib")), Path(sys.executable).resolve()
    programs = [Path(found) for name in PROGRAMS if (found := shutil.which(name))]
    files = [interpreter, *programs, *(library / "lib-dynload").glob("*.so")]
    needed = {path for file in files for path in shared_libraries(file)}
    folder = next(path.parent for path in needed if path.name == "libc.so.6")
    needed |= {folder / name for name in OF_WHEELS}
    with tarfile.open(archive, "w") as tar:
        tar.add(library, f"opt/python/lib/{library.name}", filter=_without_packages)
        tar.add(wheels, "wheels")
        tar.add(interpreter, "opt/python/bin/python3")
        for program in programs:
            tar.add(program.resolve(), f"bin/{program.name}")
        for path in needed:
            # The loader is found by its absolute path, everything else by LD_LIBRARY_PATH.
            place = str(path).lstrip("/") if path.name.startswith("ld-") else f"opt/python/lib/{path.name}"
            tar.add(path.resolve(), place)
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(scratch)


def _without_packages(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(entry.name).parts
    return None if {"site-packages", "test", "idlelib", "tkinter", "__pycache__"}.intersection(parts) else entry
