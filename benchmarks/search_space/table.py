"""Write the table of README.md: every package of a bank, its flags before and its space after, and why.

``python -m benchmarks.search_space.table BANK`` rewrites what stands between the two markers of the document. BANK is a
folder of skill packages in the public layout.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.skill.load import load_skill
from automl.space.build import build_space
from automl.spec.build import build_spec
from automl.spec.train_schema import read_train_schema
from benchmarks.markdown import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.skill.model import Skill
    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.spec.train_schema import TrainSchema

DOCUMENT = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def render_bank(root: Path) -> str:
    """Return the Markdown of a whole bank.

    Args:
        root: Folder of skill packages.
    """
    skills = [load_skill(info.parents[1]) for info in sorted(root.glob("*/references/skill_info.yaml"))]
    lines = ["| package | architecture | flags before | searched after | left out |", "|---|---|---|---|---|"]
    details: list[str] = []
    for skill in skills:
        if "train" not in skill.schemas:
            lines.append(f"| {skill.name} | {skill.network_arch} | - | - | no train schema: trained once |")
            continue
        schema = read_train_schema(skill.schemas["train"])
        space = build_space(skill, schema, build_spec(skill, "train", schema=schema))
        marked = len({*schema.flagged, *schema.curated})
        counts: dict[str, int] = {}
        for reason, paths in _groups(schema, space).items():
            short = reason.partition(":")[0].partition(",")[0].partition(";")[0]
            counts[short] = counts.get(short, 0) + len(paths)
        gone = ", ".join(f"{count} {short}" for short, count in counts.items())
        lines.append(f"| {skill.name} | {skill.network_arch} | {marked} | {len(space.parameters)} | {gone or '-'} |")
        details += _details(skill, schema, space)
    return wrap("\n".join([*lines, *details]))


def _details(skill: Skill, schema: TrainSchema, space: SearchSpace) -> Iterator[str]:
    raw = _raw_nodes(json.loads(skill.schemas["train"].read_text(encoding="utf-8")))
    yield from ("", f"### {skill.name}", "")
    if space.parameters:
        yield "| parameter | before: the schema | after: searched | why | cost |"
        yield "|---|---|---|---|---|"
    for parameter in space.parameters:
        condition = f"; only while {parameter.condition}" if parameter.condition is not None else ""
        why = f"{parameter.reason}{condition}"
        cells = [f"`{parameter.path}`", _before(raw[parameter.path]), _after(parameter), why, parameter.cost or "-"]
        yield f"| {' | '.join(cells)} |"
    if space.proposed:
        yield from ("", f"Proposed: {' '.join(f'`--search {item}`' for item in space.proposed)}")
    groups = _groups(schema, space)
    if groups:
        yield from ("", "Left out:", "")
        for reason, paths in groups.items():
            yield f"* {reason}: {', '.join(f'`{path}`' for path in _folded(paths))}"


def _groups(schema: TrainSchema, space: SearchSpace) -> dict[str, list[str]]:
    """Return the paths that the skill marks and we leave out, by their reason."""
    marked = {*schema.flagged, *schema.curated}
    found: dict[str, list[str]] = {}
    for item in space.left_out:
        if item.path in marked:
            found.setdefault(item.reason, []).append(item.path)
    return found


def _folded(paths: list[str]) -> list[str]:
    """Return at most ten paths, longer lists by their blocks."""
    if len(paths) <= 10:  # noqa: PLR2004 # what fits on a line or two
        return paths
    blocks: dict[str, int] = {}
    for path in paths:
        block = path.rpartition(".")[0]
        blocks[block] = blocks.get(block, 0) + 1
    return [f"{block}.* ({count})" for block, count in blocks.items()]


def _raw_nodes(node: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {path: node}
    properties = node.get("properties")
    for name, child in properties.items() if isinstance(properties, dict) else ():
        if isinstance(child, dict):
            found.update(_raw_nodes(child, f"{path}.{name}" if path else name))
    return found


def _before(node: dict[str, Any]) -> str:
    if node.get("enum"):
        return "options " + ", ".join(map(str, node["enum"]))
    if node.get("type") == "bool":
        return "true or false"
    bounds = f"{node.get('minimum', 'none')} .. {node.get('maximum', 'none')}"
    return f"{bounds} `{node['math_cond']}`" if node.get("math_cond") else bounds


def _after(parameter: Parameter) -> str:
    if parameter.choices:
        return "{" + ", ".join(map(str, parameter.choices)) + "}"
    low, high = parameter.bounds
    scale = " log" if parameter.log else " log of 1 - value" if parameter.log_to_one else ""
    beside = "".join(f"{value} or " for value in parameter.beside)
    step = f" step {parameter.step:g}" if parameter.step is not None else ""
    return f"{beside}{low:g} .. {high:g}{scale}{step}, first {parameter.default}"


def main(arguments: list[str]) -> None:
    """Rewrite the table in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = render_bank(Path(arguments[0]))
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
    print(f"{DOCUMENT}: {len(table.splitlines())} lines")


if __name__ == "__main__":
    main(sys.argv[1:])
