"""What an installed package has: declared imports, its files, and an end in one sentence where an extra is missing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
OWN = {"automl", "depth_net"}
OF_DEVELOPERS = {"dev", "docs"}
OF_USERS = {"pytest": "testing", "pytorch_lightning": "integrations"}
"""What a user's own tests or program bring -> the only folder that imports it."""


def named(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def imported(package: str) -> dict[str, str]:
    """Return each top-level module that a package imports from elsewhere -> the folder of a file that does."""
    found: dict[str, str] = {}
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            found |= {name.partition(".")[0]: file.parent.name for name in names}
    return {name: folder for name, folder in found.items() if name not in {*sys.stdlib_module_names, *OWN}}


def declared(*extras: str) -> set[str]:
    return named([*PROJECT["dependencies"], *(text for e in extras for text in PROJECT["optional-dependencies"][e])])


@pytest.mark.parametrize(
    ("package", "extras"),
    [("automl", set(PROJECT["optional-dependencies"]) - OF_DEVELOPERS), ("depth_net", {"depth"})],
)
def test_every_library_that_is_imported_is_declared(package: str, extras: set[str]) -> None:
    sources = packages_distributions()

    undeclared = {
        module: folder
        for module, folder in imported(package).items()
        if not {canonicalize_name(name) for name in sources.get(module, [module])} & declared(*extras)
        and OF_USERS.get(module) != folder
    }

    assert not undeclared


def test_the_extra_all_is_every_extra_of_users() -> None:
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])

    assert everything.extras == set(PROJECT["optional-dependencies"]) - OF_DEVELOPERS - {"all"}


def test_every_requirement_has_one_pin() -> None:
    pins = [line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()]
    asked = declared(*PROJECT["optional-dependencies"]) - {canonicalize_name(PROJECT["name"])}

    assert len({*map(canonicalize_name, pins)}) == len(pins)
    assert asked <= {*map(canonicalize_name, pins)}


def test_the_changelog_describes_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert PROJECT["version"] in headings[:2]


def test_python_runs_the_package() -> None:
    done = subprocess.run([sys.executable, "-m", "automl", "--help"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: automl ")


def test_another_system_than_linux_is_one_sentence() -> None:
    program = "import sys; sys.platform = 'darwin'; from automl.cli.app import main; main(['list'])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == "error: automl runs on Linux, this is darwin; use a container or a Linux machine\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    program = "import hatchling.build as b, sys; b.build_sdist(sys.argv[1]); b.build_wheel(sys.argv[1])"
    tools = folder / "tools"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "--target", str(tools), *PYPROJECT["build-system"]["requires"]], check=True)
    subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT, env={"PYTHONPATH": str(tools), "PATH": "/usr/bin:/bin"}, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_wheel_and_source_hold_what_a_user_needs_and_nothing_else(built: Path) -> None:
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")

    names = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(source) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("METADATA"))).decode()

    wanted = {f"automl/packaged/{file.relative_to(ROOT)}" for file in sorted((ROOT / "schemas").rglob("*.json"))}
    wanted |= {f"automl/packaged/{file.relative_to(ROOT)}" for file in sorted((ROOT / "templates").rglob("*.yaml"))}
    wanted |= {f"automl/packaged/{file.relative_to(ROOT)}" for file in sorted((ROOT / "studies").rglob("*.yaml"))}
    wanted |= {"automl/skill.md", "automl/html_report/page.html.jinja", "automl/py.typed", "depth_net/py.typed"}
    wanted |= {str(file.relative_to(ROOT)) for file in sorted((ROOT / "automl/architectures").glob("*.yaml"))}
    assert wanted <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"automl", "depth_net", "automl_vision"}
    own = [name for name in names if not name.startswith("automl/testing/")]
    assert not [name for name in own if "test" in name or "__pycache__" in name]
    assert {"pyproject.toml", "LICENSE", "README.md", "automl/py.typed", "schemas/study.schema.json"} <= sources
    assert not re.findall(r"\]\((?!https?://)", metadata)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installed_core_runs_a_study_and_names_the_extra_that_a_skill_lacks(built: Path, tmp_path: Path) -> None:
    (wheel,), here = built.glob("*.whl"), tmp_path / "empty"
    here.mkdir()
    venv.create(tmp_path / "env", with_pip=True)
    binary = tmp_path / "env/bin"
    pip = [str(binary / "pip"), "install", "-q", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)

    def automl(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(binary / "automl"), *arguments]
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=300)

    assert automl("--version").stdout == f"automl, version {PROJECT['version']}\n"
    assert automl("list").stdout.count("runnable") == 2
    assert automl("plan", "toy/quick").returncode == 0
    done = automl("run", "toy/quick", "--trials", "2", "--yes")
    assert done.returncode == 0, done.stderr
    extra = "pip install 'automl-vision[depth]'"
    refused, doctor = automl("run", "--yes"), automl("doctor")
    assert (refused.returncode, doctor.returncode) == (2, 2)
    assert extra in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "the extra automl-vision[depth]" in " ".join(doctor.stdout.split())
