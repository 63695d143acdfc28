"""Reference pages that are generated from the program: commands, study file, skill_info, specs and exit statuses.

They are written at every build of the site (`make docs`) and are not kept in the repository. Hand-written pages of the
reference lie in `docs/reference/`.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from automl import errors
from automl.cli.app import cli
from automl.storage.paths import ActionPaths, AttemptPaths, Place, StudyPaths
from automl.study.ends import EndKind, StopKind
from automl.study.events import Event
from automl.study.trial import FailureKind, TrialResult, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from enum import StrEnum

    Schema = Mapping[str, Any]

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
SPEC_ACTIONS = ("train", "evaluate", "inference", "export", "quantize", "convert")


def generated_pages() -> dict[str, Callable[[], str]]:
    """Return what writes each generated page, by the page's path below `docs/`."""
    return {
        "reference/commands.md": commands_page,
        "reference/study_file.md": lambda: schema_page("study.schema.json", "Study file", STUDY_FILE),
        "reference/skill_info.md": lambda: schema_page("skill_info.schema.json", "skill_info.yaml", SKILL_INFO),
        "reference/architectures.md": lambda: schema_page("architecture.schema.json", "Architectures", ARCHITECTURES),
        "reference/train_schema.md": lambda: schema_page("train_schema.schema.json", "Train schema", TRAIN_SCHEMA),
        "reference/history_file.md": lambda: schema_page("history.schema.json", "History file", HISTORY_FILE),
        "reference/depth_net_spec.md": depth_net_page,
        "reference/events.md": events_page,
        "reference/study_directory.md": study_directory_page,
        "reference/exit_statuses.md": exit_statuses_page,
    }


STUDY_FILE = """
A study file is YAML. `automl check FILE` reports every problem of a file at once.
"""
SKILL_INFO = """
A model skill is a folder with this file, a train schema and a spec template.
[Your own trainer](../tutorial/your_own_trainer.md) builds one step by step.
"""
ARCHITECTURES = """
Our files: [automl/architectures](../../automl/architectures). A new architecture is a new file, not new code. What is
known only to one skill goes into `references/automl.yaml` of that skill (`automl.yaml` where `skill_info.yaml` lies at
its root), for example:

```yaml
extends: detr
metrics:
  default: val_mAP50
parameters:
  evaluation_only: [keep_best_of]
  conditions:
    - {path: train.optim.warmup_steps, parents: [train.optim.lr_scheduler], any_of: [warmup*]}
checkpoints:
  epoch_names: ['weights_(?P<epoch>\\d+)\\.pth']
```

`automl check` reports every problem of the file at once, and `automl space` shows what it changes.
"""
TRAIN_SCHEMA = """
`schemas/<action>.schema.json` of a skill describes the keys of a spec: types, defaults, ranges, and what may be
searched.
"""

HISTORY_FILE = """
`automl export-history` writes such a file, and `--studies` reads it:
[learn from earlier studies](../how-to/learn_from_earlier_studies.md). The last key, `check`, is a CRC-32 of the rest.
"""


def commands_page() -> str:
    """Return the page of every command and option of `automl`, and of the actions of `depth_net`."""
    lines = ["# Commands", "", "`automl COMMAND --help` prints the same text.", ""]
    context = click.Context(cli, info_name="automl")
    commands = dict(_commands(cli, context))
    lines += ["| command | purpose |", "|---|---|"]
    lines += [f"| [`{name}`](#{_anchor(name)}) | {_cell(c.get_short_help_str(200))} |" for name, c in commands.items()]
    known = _options(commands["automl run"])
    for name, command in commands.items():
        lines += ["", f"## {name}", "", *_command_section(name, command, {} if name == "automl run" else known)]
    shown = subprocess.run(
        [sys.executable, "-m", "depth_net", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    lines += ["", "## depth_net", "", "The trainer of the built-in skill `depth_net_mono`."]
    lines += ["Its keys are on the page [depth_net spec](depth_net_spec.md).", ""]
    lines += ["```text", shown.stdout.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        here = click.Context(command, info_name=name, parent=context)
        yield here.command_path, command
        if isinstance(command, click.Group):
            yield from _commands(command, here)


def _command_section(name: str, command: click.Command, known: Mapping[str, str]) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield from _prose(command.help or "")
    yield from ("", "```text", f"{name} {' '.join(command.collect_usage_pieces(context))}", "```")
    options = _options(command)
    own = {option: meaning for option, meaning in options.items() if known.get(option) != meaning}
    shared = [option for option in options if option not in own]
    if own:
        yield from ("", "| option | meaning |", "|---|---|")
        yield from (f"| `{option}` | {_cell(meaning)} |" for option, meaning in own.items())
    if shared:
        listed = ", ".join(f"`{option.split()[0].rstrip(',')}`" for option in shared)
        yield from ("", f"It also takes these options of [`automl run`](#automl-run): {listed}.")


def _options(command: click.Command) -> dict[str, str]:
    context = click.Context(command)
    records = [option.get_help_record(context) for option in command.params if isinstance(option, click.Option)]
    return dict(record for record in records if record is not None)


def _prose(text: str) -> Iterator[str]:
    is_literal = False
    for line in inspect.cleandoc(text).splitlines():
        if line.strip() == "\b":
            is_literal = True
            yield "```text"
            continue
        if is_literal and not line.strip():
            is_literal = False
            yield "```"
        yield line
    if is_literal:
        yield "```"


def schema_page(file: str, title: str, introduction: str) -> str:
    """Return the page of one JSON Schema: every key with its type, limits and meaning."""
    schema = json.loads((SCHEMAS / file).read_text(encoding="utf-8"))
    lines = [f"# {title}", "", schema.get("description", ""), introduction.rstrip(), ""]
    lines += ["| key | type | meaning |", "|---|---|---|"]
    lines += [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _rows(schema, schema, "", ())]
    lines += ["", f"The same as a JSON Schema, for editors: [schemas/{file}](../../schemas/{file})."]
    return "\n".join(lines) + "\n"


def _rows(root: Schema, schema: Schema, prefix: str, opened: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for name, value in _children(root, schema):
        path = f"{prefix}{name}"
        reference = value.get("$ref", "")
        resolved = _resolved(root, value)
        needed = ["required"] if name in schema.get("required", ()) else []
        yield path, _cell(_kind(root, value)), _cell(". ".join(filter(None, [*needed, _meaning(resolved)])))
        if reference in opened:
            continue
        inner = (*opened, reference) if reference else opened
        for part in _alternatives(root, resolved):
            yield from _rows(root, part, f"{path}.", inner)
            if isinstance(part.get("items"), dict):
                yield from _rows(root, part["items"], f"{path}[].", inner)


def _children(root: Schema, schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield from schema.get("properties", {}).items()
    further = schema.get("additionalProperties")
    if isinstance(further, dict):
        alternatives = [part for part in _alternatives(root, _resolved(root, further)) if list(_children(root, part))]
        if alternatives or further.get("description"):
            yield "<name>", further


def _alternatives(root: Schema, schema: Schema) -> list[Schema]:
    listed = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return [schema, *(_resolved(root, part) for part in listed)]


def _resolved(root: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    target: Any = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _kind(root: Schema, value: Schema) -> str:
    schema = _resolved(root, value)
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if alternatives:
        kinds = list(dict.fromkeys(filter(None, (_kind(root, part) for part in alternatives))))
        # Beside a boolean an enum holds its spellings ("TRUE", "off", 0).
        return " or ".join(kind for kind in kinds if kinds[0] != "boolean" or not kind.startswith("`"))
    if "enum" in schema:
        return ", ".join(f"`{option}`" for option in map(_yaml, schema["enum"]) if option)
    if "const" in schema:
        return f"`{schema['const']}`" if schema["const"] != "" else ""
    names = {"object": "mapping", "array": "list", "string": "text"}
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    shown = " or ".join(names.get(kind, kind) for kind in kinds if kind != "null")
    if kinds == ["array"] and isinstance(schema.get("items"), dict):
        return f"list of {_kind(root, schema['items'])}"
    return shown


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _meaning(schema: Schema) -> str:
    parts = [schema.get("description", "").rstrip(".")]
    limits = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    parts += [f"{sign} {schema[key]}" for key, sign in limits.items() if isinstance(schema.get(key), (int, float))]
    if schema.get("examples"):
        parts.append("e.g. " + ", ".join(f"`{example}`" for example in schema["examples"]))
    return ". ".join(part for part in parts if part)


def depth_net_page() -> str:
    """Return the page of every key of a spec of `depth_net`."""
    keys: dict[str, Schema] = {}
    actions: dict[str, list[str]] = {}
    for action in SPEC_ACTIONS:
        schema = json.loads((SCHEMAS / f"depth_net_mono/{action}.schema.json").read_text(encoding="utf-8"))
        for path, leaf in _leaves(schema["properties"], ""):
            keys.setdefault(path, leaf)
            actions.setdefault(path, []).append(action)
    lines = ["# depth_net spec", "", "Every key of a spec of [depth_net](../how-to/depth_net.md), by block."]
    lines += ["`depth_net default_specs results_dir=specs` writes the specs with these defaults.", ""]
    blocks: dict[str, list[str]] = {}
    for path in keys:
        blocks.setdefault(path.rpartition(".")[0], []).append(path)
    for block, paths in blocks.items():
        common = max((actions[path] for path in paths), key=[actions[path] for path in paths].count)
        lines += [f"## {block or 'top level'}", "", f"Read by: {', '.join(common)}.", ""]
        lines += ["| key | default | values | meaning |", "|---|---|---|---|"]
        lines += [_spec_row(path, keys[path], [] if actions[path] == common else actions[path]) for path in paths]
        lines.append("")
    return "\n".join(lines)


def _leaves(properties: Schema, prefix: str) -> Iterator[tuple[str, Schema]]:
    for name, value in properties.items():
        if isinstance(value, dict) and "properties" in value:
            yield from _leaves(value["properties"], f"{prefix}{name}.")
        elif isinstance(value, dict):
            yield f"{prefix}{name}", value


_LISTED = 12


def _spec_row(path: str, leaf: Schema, other_actions: list[str]) -> str:
    options = leaf.get("enum", ())
    shown = options if len(options) <= _LISTED else (*options[:4], "...", options[-1])
    values = ", ".join(f"`{option}`" for option in shown)
    if not values:
        low, high = ("" if bound is None else str(bound) for bound in (leaf.get("minimum"), leaf.get("maximum")))
        values = leaf["type"] + (f" {low} .. {high}" if low or high else "")
    meaning = leaf["description"] + (f" Read by: {', '.join(other_actions)}." if other_actions else "")
    default = json.dumps(leaf.get("default"))
    return f"| `{path.rpartition('.')[2]}` | `{default}` | {_cell(values)} | {_cell(meaning)} |"


def exit_statuses_page() -> str:
    """Return the page of exit statuses, from the classes of `automl.errors`."""
    lines = ["# Exit statuses", "", "| status | name | when |", "|---|---|---|"]
    lines.append("| 0 | | The command did what was asked; for `doctor`: the run can start. |")
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.AutomlError)]
    classes.sort(key=lambda found: found.exit_status)
    lines += [f"| {found.exit_status} | `{found.__name__}` | {_cell(_first_line(found))} |" for found in classes]
    lines += ["", "With `--json` an error is a document on stdout:", "", "```json"]
    problem = errors.Problem(where="--trials", found="0", expected="a number of at least 1", fix="name a larger number")
    example = errors.ConfigurationError.from_problems([problem], subject="the command line")
    lines += [json.dumps(example.document(), indent=2), "```"]
    return "\n".join(lines) + "\n"


def events_page() -> str:
    """Return the page of the event log, from the classes of `automl.study.events`."""
    lines = [
        "# Events",
        "",
        "`events.jsonl` of a study directory has one JSON object per line. Each has `event`, `time`",
    ]
    lines += ["(UTC, ISO 8601), the fields below, and `check`, a CRC-32 of the rest of the line.", ""]
    lines += ["`automl status STUDY --watch --json` prints the lines as they are written.", ""]
    for event in get_args(Event):
        fields = _attributes(event)
        lines += [f"## {event.kind}", "", _first_line(event), ""]
        if event.kind == "trial_ended":
            lines += ["The fields are `trial` (the number) and those of the [result](#result).", ""]
            continue
        lines += ["| field | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(meaning)} |" for name, meaning in fields.items()] + [""]
    lines += ["## Result", "", "`result.json` of a trial, and the fields of `trial_ended`.", ""]
    lines += ["| field | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(meaning)} |" for name, meaning in _attributes(TrialResult).items()]
    for title, kinds in (
        ("States of a trial", TrialState),
        ("Kinds of failure", FailureKind),
        ("Why a trial is stopped", StopKind),
        ("Why a study ends", EndKind),
    ):
        lines += ["", f"## {title}", "", *_members(kinds)]
    return "\n".join(lines) + "\n"


def _attributes(documented: type) -> dict[str, str]:
    listed = (inspect.getdoc(documented) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", listed, flags=re.MULTILINE)
    return {name: _code(" ".join(meaning.split())) for name, meaning in entries}


def _members(kinds: type[StrEnum]) -> Iterator[str]:
    source = inspect.getsource(kinds)
    yield from ("| value | meaning |", "|---|---|")
    for member in kinds:
        found = re.search(rf'^ +{member.name} = .*\n +"""(.*?)"""', source, flags=re.MULTILINE)
        yield f"| `{member.value}` | {_cell(_code(found[1])) if found else ''} |"


def study_directory_page() -> str:
    """Return the page of every file of a study directory, from `automl.storage.paths`."""
    study, attempt, action = (
        StudyPaths(Path("<study>")),
        AttemptPaths(Path("<study>/trials/0007")),
        ActionPaths(Path("<study>/actions/evaluate-1")),
    )
    lines = [
        "# Study directory",
        "",
        "A study lies in `<results>/<name>`, or where `--study-dir` says. It can be moved.",
    ]
    lines += ["Files are written under a temporary name and renamed; `events.jsonl` is appended to.", ""]
    for title, paths in (("The study", study), ("One attempt of a trial", attempt), ("One action", action)):
        lines += [f"## {title}", ""]
        if paths is attempt:
            lines += ["The first attempt of trial 7 lies in `trials/0007`, the second in `trials/0007.2`.", ""]
        lines += ["| file | content |", "|---|---|", *_path_rows(paths), ""]
    return "\n".join(lines)


def _path_rows(paths: object) -> Iterator[str]:
    root = Path("<study>")
    members = inspect.getmembers_static(type(paths), lambda member: isinstance(member, property | Place))
    documented = {
        getattr(paths, name).relative_to(root): found.content
        if isinstance(found, Place)
        else inspect.getdoc(found) or ""
        for name, found in members
    }
    for path, text in sorted(documented.items()):
        yield f"| `{path}` | {_cell(_code(text))} |"


def _code(text: str) -> str:
    return re.sub(r"\bNone\b", "null", text.replace("``", "`").replace("`automl.", "`"))


def _first_line(documented: type) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", heading.lower())


def _cell(text: str) -> str:
    """Return a text as the cell of a table: in one line, bars outside of code escaped, `<name>` kept."""
    parts = " ".join(text.split()).split("`")
    parts[::2] = [part.replace("|", "\\|").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
