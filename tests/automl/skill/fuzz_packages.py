"""Mutate skill packages and walk the whole line: whatever comes, the only exception is a ConfigurationError.

Run it as long as you like: ``python -m tests.automl.skill.fuzz_packages 600`` (seconds, then an optional seed). A
failure prints the seed of its package, which reproduces it: ``python -m tests.automl.skill.fuzz_packages --case SEED``.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import random
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from automl.errors import ConfigurationError
from automl.skill.catalog import list_skills
from automl.skill.load import load_skill
from automl.skill.model import ConfigFormat, Skill
from automl.skill.objective import objective_for
from automl.space.build import SpaceRequest, build_space
from automl.spec.build import build_spec
from automl.spec.complete import ActionRun, complete_spec
from automl.spec.inputs import missing_inputs, pending_downloads
from automl.spec.train_schema import TrainSchema, read_train_schema
from automl.spec.write import render_spec
from tests.automl.skill.packages import BANK, EVERY_FEATURE

if TYPE_CHECKING:
    from automl.space.search_space import SearchSpace
    from automl.spec.model import Spec

ROOTS = (EVERY_FEATURE, *(info.parents[1] for info in BANK))
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    7,
    2**63,
    -(10**400),
    0.0,
    -0.0,
    1e-320,
    1e308,
    math.inf,
    -math.inf,
    math.nan,
    "",
    "TRUE",
    "maybe",
    "1e-5",
    "???",
    "${eval: '1 / 0'}",
    "> 0.0",
    "> depends_on",
    "/ 8",
    "/ 0",
    "^ 2",
    "> 0 <= 1",
    "!= 0",
    "float",
    "int",
    "list_2",
    "categorical",
    "output_dir",
    "ptm",
    "create_x",
    "train.optim.lr",
    "a..b",
    "[",
    "../../../etc/passwd",
    "/etc/passwd",
    "\x00",
    "\u2028",
    "x" * 3000,
    [],
    {},
    [1, "a", None],
    ["train.optim.lr"],
    {"type": "float", "automl_enabled": True},
    {"properties": {"train": []}},
    {"link": 3, "destination_path": []},
)
SEARCHES = (
    "all",
    "default",
    "train.*",
    "train.optim.lr",
    "model.rank=1..4",
    "*",
    "train.optim.lr=1e-9..1e9",
    "learning_rate",
)


@dataclass
class Package:
    """The documents of one package, and broken text in place of any of them."""

    info: Any
    schema: Any
    template: Any
    texts: dict[str, bytes]


def run_case(seed: int, folder: Path) -> None:
    """Make the package of a seed and walk the line with it.

    Raises:
        Exception: whatever is not a ConfigurationError: a bug.
    """
    generator = random.Random(seed)  # noqa: S311 # a seed, not a secret
    package = mutated(generator)
    write(package, folder)
    try:
        list_skills(folder)
        skill = load_skill(folder)
    except ConfigurationError as error:
        check_problems(error)
        return
    schema = attempt(lambda: read_train_schema(skill.schemas["train"])) if "train" in skill.schemas else None
    for action in generator.sample(sorted(skill.actions), min(len(skill.actions), 2)):
        spec = attempt(lambda action=action: build_spec(skill, action, schema=schema))
        if spec is not None:
            walk(generator, skill, action, spec, schema)


def walk(generator: random.Random, skill: Skill, action: str, spec: Spec, schema: TrainSchema | None) -> None:
    """Go on from a spec to assignments and files."""
    missing_inputs(skill, action, spec)
    pending_downloads(skill, action, spec)
    attempt(lambda: objective_for(skill))
    assignment: dict[str, Any] = {}
    if schema is not None:
        search = generator.choice([(), (), (generator.choice(SEARCHES),), tuple(generator.sample(SEARCHES, 2))])
        request = SpaceRequest(search=search, sample_count=generator.choice([None, 0, 1, 100]), devices=2)
        space = attempt(lambda: build_space(skill, schema, spec, request))
        if space is not None:
            assignment = sample(generator, space)
    run = ActionRun(results_dir=Path("/results"), assignment=assignment)
    completed = attempt(lambda: complete_spec(spec, skill, action, run))
    if completed is not None:
        config_format = generator.choice(list(ConfigFormat))
        attempt(lambda: render_spec(completed, config_format))


def sample(generator: random.Random, space: SearchSpace) -> dict[str, Any]:
    """Draw assignments; each has to satisfy its own space."""
    space.default_assignment()
    assignment: dict[str, Any] = {}
    for _ in range(5):
        positions = {path: generator.choice([0.0, 1.0, generator.random()]) for path in space.paths}
        assignment = space.from_unit(positions)
        violations = space.violations(assignment)
        assert not violations, violations
        space.to_unit(assignment)
    return assignment


def attempt(call: Any) -> Any:  # noqa: ANN401 # any step of the line
    """Return what a step returns, or None where it refuses with problems."""
    try:
        return call()
    except ConfigurationError as error:
        check_problems(error)
        return None


def check_problems(error: ConfigurationError) -> None:
    """A refusal says what was found where, and what to do."""
    assert error.problems
    assert all(problem.where and problem.found and problem.expected and problem.fix for problem in error.problems)


def mutated(generator: random.Random) -> Package:
    """Return a package with one to eight mutations."""
    package = copy.deepcopy(_package(generator.choice(ROOTS)))
    for _ in range(generator.randint(1, 8)):
        target = generator.choice(["info", "schema", "schema", "template"])
        if generator.random() < 0.05:  # now and then the text itself is broken
            package.texts[target] = _broken(generator, package, target)
        else:
            setattr(package, target, _mutate(generator, getattr(package, target)))
    return package


def write(package: Package, folder: Path) -> None:
    """Write a package in the public layout, over whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "references").mkdir(parents=True)
    (folder / "schemas").mkdir()
    for target, name in (
        ("info", "references/skill_info.yaml"),
        ("template", "references/spec_template_train.yaml"),
        ("schema", "schemas/train.schema.json"),
    ):
        (folder / name).write_bytes(package.texts.get(target) or _text(target, getattr(package, target)))


@functools.cache
def _package(root: Path) -> Package:
    template, schema = root / "references/spec_template_train.yaml", root / "schemas/train.schema.json"
    return Package(
        info=yaml.safe_load((root / "references/skill_info.yaml").read_text(encoding="utf-8")),
        schema=json.loads(schema.read_text(encoding="utf-8")) if schema.exists() else {},
        template=yaml.safe_load(template.read_text(encoding="utf-8")) if template.exists() else {},
        texts={},
    )


def _text(target: str, document: Any) -> bytes:  # noqa: ANN401 # any document
    # JSON is YAML, and written a hundred times faster; a tenth of the cases shows the other notation as well.
    is_json = target == "schema" or len(str(document)) % 10
    text = json.dumps(document) if is_json else yaml.safe_dump(document, allow_unicode=True)
    return text.encode("utf-8", "surrogateescape")


def _broken(generator: random.Random, package: Package, target: str) -> bytes:
    data = bytearray(_text(target, getattr(package, target)))
    for _ in range(generator.randint(1, 5)):
        position = generator.randrange(len(data) + 1)
        data[position : position + generator.randint(0, 20)] = generator.randbytes(generator.randint(0, 5))
    return bytes(data)


def _mutate(generator: random.Random, document: Any) -> Any:  # noqa: ANN401 # any document
    """Change one node somewhere: replace, remove, rename, repeat or swap."""
    places = list(_places(document))
    if not places:
        return copy.deepcopy(generator.choice(JUNK))
    container, key = generator.choice(places)
    junk = copy.deepcopy(generator.choice(JUNK))
    match generator.randrange(6):
        case 0 | 1:
            container[key] = junk
        case 2:
            del container[key]
        case 3 if isinstance(container, dict):
            container[str(generator.choice(JUNK))] = container.pop(key)
        case 4 if isinstance(container, dict):
            container[generator.choice(["minimum", "maximum", "math_cond", "depends_on", "enum", "default"])] = junk
        case _:
            other, other_key = generator.choice(places)
            container[key] = copy.deepcopy(other[other_key])
    return document


def _places(node: Any) -> Any:  # noqa: ANN401 # any document
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, child in items:
        yield node, key
        yield from _places(child)


def fuzz(seconds: float, first_seed: int, folder: Path) -> int:
    """Run cases until the time is over; return how many there were.

    Raises:
        AssertionError: a case found a bug; the message names its seed.
    """
    end = time.monotonic() + seconds
    seed = first_seed
    while time.monotonic() < end:
        try:
            run_case(seed, folder / "package")
        except Exception as error:
            message = f"case {seed}: {''.join(traceback.format_exception(error))}"
            raise AssertionError(message) from error
        seed += 1
    return seed - first_seed


def main(arguments: list[str]) -> None:
    """Run from the command line."""
    with tempfile.TemporaryDirectory() as folder:
        if arguments[:1] == ["--case"]:
            run_case(int(arguments[1]), Path(folder) / "package")
            return
        seconds = float(arguments[0]) if arguments else 600.0
        seed = int(arguments[1]) if len(arguments) > 1 else 0
        count = fuzz(seconds, seed, Path(folder))
    sys.stdout.write(f"{count} packages in {seconds:g} s, no uncaught exception\n")


if __name__ == "__main__":
    main(sys.argv[1:])
