"""Plug-ins: an example package that is installed into a folder, and packages that are broken in every way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.plugin_kinds import BUILT_IN, base_of, problem_of
from automl.plugins import Plugin, PluginKind, check_installed, find_plugin, installed_plugins, load_plugin
from automl.samplers.registry import check_sampler, make_sampler
from automl.schedulers.registry import check_scheduler, make_scheduler
from automl.testing.studies import plan_of
from tests.acceptance.command_line import automl

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return what makes a distribution with entry points importable, as pip would leave it."""

    def make(points: dict[str, str], module: str = "", *, name: str = "mine") -> Path:
        folder = tmp_path / "site" / name
        info = folder / f"{name}-1.5.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n", encoding="utf-8")
        text = "".join(f"[automl.{kind}]\n{line}\n" for kind, line in points.items())
        (info / "entry_points.txt").write_text(text, encoding="utf-8")
        (folder / f"module_of_{name}.py").write_text(module, encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        return folder

    return make


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which pip has built and installed the example."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source)
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True, timeout=250)
    return target


def paths(site: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH", ""))))}


def test_a_package_that_pip_has_installed_is_listed_with_its_version(site: Path) -> None:
    done = automl("list", "--plugins", "--json", results=site, extra=paths(site))

    rows = [row for row in done.document["plugins"] if row["distribution"] == "automl-plugin-example"]
    assert [(row["kind"], row["name"], row["version"], row["problem"]) for row in rows] == [
        ("samplers", "halton", "0.1.0", None),
        ("schedulers", "hopeless", "0.1.0", None),
        ("launchers", "nice", "0.1.0", None),
        ("trackers", "tally", "0.1.0", None),
        ("readers", "history", "0.1.0", None),
    ]
    assert "halton" in automl("list", "--plugins", results=site, extra=paths(site)).out


@pytest.mark.slow
def test_the_example_passes_the_suites_that_the_built_in_ones_pass(site: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "-W", "ignore"]
    command += ["-c", os.devnull, "--rootdir", str(EXAMPLE), str(EXAMPLE / "test_plugin.py")]

    done = subprocess.run(command, env={**os.environ, **paths(site)}, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


SCRIPT = """\
import sys, time
lr = float(sys.argv[1])
text = ""
for epoch in range(2):
    text += f"[[epoch]]\\nscore = {1 - (lr - 0.3) ** 2 + epoch / 100}\\n"
    open("history.toml", "w").write(text)
    time.sleep(0.05)
"""
STUDY = """\
program: python train.py {lr}
search: {lr: 0.0..1.0}
objective: score maximize
sampler: halton
scheduler: hopeless
readers: [history]
trackers: [tally]
resources: {launcher: nice, gpus_per_trial: 0}
budget: {trials: 3}
"""


@pytest.mark.slow
def test_a_study_uses_one_of_each_kind_and_needs_them_to_go_on(site: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    study = tmp_path / "s"

    done = automl("run", "study.yaml", "--yes", "--study-dir", str(study), results=tmp_path, extra=paths(site))

    assert done.status == 0, done.err
    results = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(study.glob("trials/*/result.json"))]
    assert [len(result["curve"]) for result in results] == [2, 2, 2]
    assert "trial_ended 3" in (study / "tally.txt").read_text(encoding="utf-8")
    assert "halton" in (study / "events.jsonl").read_text(encoding="utf-8")
    plan = json.loads((study / "plan.json").read_text(encoding="utf-8"))
    assert [plugin["name"] for plugin in plan["plugins"]] == ["halton", "hopeless", "nice", "tally", "history"]
    assert automl("status", str(study), results=tmp_path).status == 0  # needs none of them

    gone = automl("resume", str(study), "--trials", "4", results=tmp_path)

    assert gone.status == 2
    assert "that of automl-plugin-example 0.1.0, with which the study began" in gone.err
    assert "pip install automl-plugin-example==0.1.0" in gone.err
    assert "Traceback" not in gone.err
    again = automl("resume", str(study), "--trials", "4", results=tmp_path, extra=paths(site))
    assert again.status == 0, again.err


BROKEN = {
    "missing module": ("broken = no_such_module:Thing", "", "ModuleNotFoundError: No module named 'no_such_module'"),
    "missing class": ("broken = module_of_mine:Thing", "x = 1", "AttributeError"),
    "raises": ("broken = module_of_mine:Thing", "raise RuntimeError('no\\nlicence')", "RuntimeError: no licence"),
    "exits": ("broken = module_of_mine:Thing", "raise SystemExit('bye')", "SystemExit: bye"),
    "no syntax": ("broken = module_of_mine:Thing", "def", "SyntaxError"),
    "another class": ("broken = module_of_mine:Thing", "class Thing: ...", "which is no "),
    "no class": ("broken = module_of_mine:Thing", "Thing = 3", "which is no "),
}


@pytest.mark.parametrize("kind", list(PluginKind))
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_one_sentence_when_it_is_asked_for(
    package: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, kind: PluginKind, case: str
) -> None:
    line, module, expected = BROKEN[case]
    monkeypatch.delitem(sys.modules, "module_of_mine", raising=False)
    package({kind.value: line}, module)

    plugin = find_plugin(kind, "broken")

    assert plugin is not None
    assert plugin.origin == "mine 1.5"
    with pytest.raises(ConfigurationError) as raised:
        load_plugin(plugin, base_of(kind))
    (problem,) = raised.value.problems
    assert expected in problem.found
    assert "\n" not in problem.found
    assert problem_of(plugin) == problem.found


def test_a_broken_one_breaks_no_other_command(package: Callable[..., Path], tmp_path: Path) -> None:
    points = {kind.value: "broken = module_of_mine:Thing" for kind in PluginKind}
    folder = package(points, "raise RuntimeError('broken')")

    listed = automl("list", "--plugins", results=tmp_path, extra=paths(folder))
    skills = automl("list", results=tmp_path, extra=paths(folder))
    asked = automl("plan", "toy/quick", "--sampler", "broken", results=tmp_path, extra=paths(folder))

    assert listed.status == 0
    assert listed.out.count("RuntimeError: broken") == 5
    assert skills.status == 0
    assert asked.status == 2
    assert "sampler broken" in asked.err
    assert "of mine 1.5, which cannot be imported: RuntimeError: broken" in asked.err
    assert "Traceback" not in asked.err


@pytest.mark.parametrize("kind", list(PluginKind))
def test_the_name_of_a_built_in_one_is_refused_with_both_names(package: Callable[..., Path], kind: PluginKind) -> None:
    name = BUILT_IN[kind][1]
    package({kind.value: f"{name} = module_of_mine:Thing"})

    (plugin,) = [plugin for plugin in installed_plugins(kind) if plugin.distribution == "mine"]

    assert problem_of(plugin) == f"refused: {kind.one} {name} of mine 1.5 has the name of the built-in {name}"


def test_two_of_one_name_are_refused_with_both_distributions(package: Callable[..., Path]) -> None:
    package({"samplers": "twice = module_of_mine:Thing"})
    package({"samplers": "twice = module_of_other:Thing"}, name="other")

    with pytest.raises(ConfigurationError) as raised:
        find_plugin(PluginKind.SAMPLERS, "twice")

    assert raised.value.problems[0].found == "plug-ins of mine 1.5 and of other 1.5"


def test_names_of_plugins_are_known_where_names_are_checked(package: Callable[..., Path]) -> None:
    module = (
        "from automl.samplers.quasi_random import RandomSampler\nfrom automl.schedulers.base import Scheduler\n"
        "class Mine(RandomSampler): ...\nclass Rule(Scheduler): ...\n"
    )
    package(
        {"samplers": "own = module_of_known:Mine", "schedulers": "own = module_of_known:Rule"}, module, name="known"
    )

    assert check_sampler("own") == ()
    assert check_scheduler("own") == ()
    assert type(make_sampler(plan_of("own"))).__name__ == "Mine"
    assert type(make_scheduler("own", max_epochs=3, trials=2)).__name__ == "Rule"
    assert check_sampler("ownx")[0].fix == "did you mean own?"
    assert ", own" in check_scheduler("ownx")[0].expected


def test_what_a_study_began_with_and_is_gone_is_named_with_what_installs_it() -> None:
    gone = Plugin(kind=PluginKind.READERS, name="gone", target="a:B", distribution="pytest", version="0.1")

    with pytest.raises(ConfigurationError) as raised:
        check_installed([gone])

    (problem,) = raised.value.problems
    assert problem.found.startswith("no such plug-in in pytest ")
    assert problem.fix == "pip install pytest==0.1"


@pytest.mark.parametrize(
    ("option", "name", "expected"),
    [
        ("--tracker", "tensorboard", "leave it out: tensorboard is always there"),
        ("--reader", "nothing", "automl list --plugins"),
        ("--launcher", "dockerx", "did you mean docker?"),
    ],
)
def test_an_unknown_name_is_one_sentence(tmp_path: Path, option: str, name: str, expected: str) -> None:
    done = automl("plan", "toy/quick", option, name, results=tmp_path)

    assert done.status == 2
    assert expected in done.err
