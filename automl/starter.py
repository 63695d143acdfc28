"""A first study file for a script, and a first skill package: what `automl init` writes, for a person to go on from.

The ranges are those that a skill's parameters of the same names and values would get (`automl.space.derived`). What is
known to act on the result is proposed; everything else stands there as a comment.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.architectures.load import load_architecture
from automl.program.arguments import LIGHTNING, TRANSFORMERS, needs_subcommand
from automl.program.hydra_config import OWN_BLOCK
from automl.program.script import HYDRA, Script, read_script
from automl.program.sources import parsed
from automl.program.traces import Traces, direction_of, read_traces, resume_argument
from automl.regular_file import followed
from automl.shown_command import shown_command
from automl.skill.program import NETWORK_ARCH, Argument
from automl.space.derived import family_of
from automl.space.ranges import make_parameter
from automl.space.reasons import by_name
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.config_files import JsonValue
    from automl.space.parameters import Parameter

SCHEMA_LINE = "# yaml-language-server: $schema=.automl/study.schema.json"
_KINDS = {"float": LeafKind.FLOAT, "int": LeafKind.INT, "bool": LeafKind.BOOL, "str": LeafKind.TEXT}
# They change the cost of a trial, or how trials are compared: a person decides.
_NOT_SEARCHED = {
    *("batch size", "length of the warm-up", "part of the run", "length of the run", "size of an image"),
    *("rank of an adapter", "heads of attention", "depth of the network", "iterations of the network"),
    *(
        "width of the network",
        "number of queries or points",
        "accumulation of gradients",
        "weight of a loss",
        "balance of the loss",
        "focus of the loss",
    ),
    *("share", "share that is masked"),
}
# They act, and little: of 20 trials none is left for them.
_MINOR = {
    *("epsilon", "smallest rate", "first momentum", "second momentum", "setting of a schedule", "strength of colours"),
    *("decay of averaged weights", "rate of averaged weights", "shift of the hue", "probability", "angle"),
    *(
        "factor of the smallest rate",
        "factor of the first rate",
        "scale of the first weights",
        "slope of the activation",
        "momentum of normalisation",
        "decay of advantages",
    ),
}
_OF_MACHINE = {
    *("worker", "workers", "print", "log", "logging", "port", "gpu", "gpus", "world", "threads", "every", "interval"),
    *("freq", "frequency", "verbose", "device", "devices"),
}
_CHOSEN = ("opt", "optim", "optimizer", "scheduler", "lr_scheduler", "sched", "activation", "act")
_CHOICE = re.compile(rf"(?:.*\.)?(?:{'|'.join(_CHOSEN)})(?:[._](?:name|type))?")
_SMALL = 0.01
_MODELS = ("model", "network", "net", "arch", "architecture", "backbone", "encoder", "decoder", "head")
_WITH_MOMENTUM = ("sgd", "rmsprop", "nesterov", "momentum")
_WORDS_OF_HYDRA = "{overrides}"
_TRAINER = "trainer."
"""What Lightning's own class takes: most of it is about the machine and the log."""
_LENGTH = f"{_TRAINER}max_epochs"
_OUTPUT = "output_dir"
_OF_TRANSFORMERS = {_OUTPUT: "out", "eval_strategy": "epoch", "save_strategy": "epoch"}
"""Without these the Trainer neither measures nor saves at the end of an epoch."""
_LIGHTNING_REPORT = (
    "report:",
    '  resume: "--ckpt_path {checkpoint}"  # the words that continue from one',
    "  first_epoch: 0  # the number of its first epoch; its checkpoints are found by their names",
)
_SUBCOMMANDS = {"fit", "validate", "test", "predict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A line of `search`: the parameter, its values as text, why, and whether it is proposed or only shown."""

    path: str
    values: str
    why: str
    is_searched: bool


def study_text(script: Script, command: str, spec: str = "", *, file: str = "study.yaml") -> str:
    """Return the text of a study file for a script.

    Args:
        script: As it was read.
        command: That runs it.
        spec: The file beside the study file that the program starts from; empty for none.
        file: The study file, as a command names it.
    """
    traces = read_traces(tree for file in script.files if (tree := parsed(file)) is not None)
    conditions, further = _of_groups(script)
    arguments = {one.path: one for one in further} | script.arguments
    lines = [*_group_lines(script), *proposals(arguments.values(), conditions)]
    if lines and not any(line.is_searched for line in lines):
        lines = [Proposed(path=p.path, values=p.values, why=p.why, is_searched=True) for p in lines]
    width = max((len(f"{line.path}: {line.values}") for line in lines), default=0)
    name = script.file.name if script.file is not None else command
    parts = [
        SCHEMA_LINE,
        f"# Written by `automl init` from {name} ({script.library or 'its help'}). Check ranges, objective and report;",
        f"# then: {shown_command('plan', file)}, {shown_command('run', file)}. The ends of an elastic range are no",
        "# limits: they move out where the best trials gather at them.",
        *_required(script, command),
        f"program: {command} {_words_of(script, spec)}",
        *([f"spec: {spec}  # what the program starts from, as it prints it: trial 0"] if spec else []),
        "search:",
        *(_line(line, width) for line in sorted(lines, key=lambda line: not line.is_searched)),
        *_objective_lines(traces, script.library),
        *_report_lines(script, traces),
        *_length_lines(script),
        "budget: {trials: 20}",
    ]
    return "\n".join(parts) + "\n"


def _required(script: Script, command: str) -> Iterator[str]:
    """Yield a line with what a program does not start without, as far as its command does not have it."""
    words = shlex.split(command)
    has_more = bool([word for word in words[2:] if not word.startswith("-") and word != script.subcommand])
    needed = [one for one in script.arguments.values() if one.is_required and one.kind not in {"float", "int"}]
    missing = [one.flag or one.path.upper() for one in needed if (one.flag not in words if one.flag else not has_more)]
    if missing:
        yield f"# It needs {', '.join(missing)} too: write them into `program` (paths: absolute, or beside this file)."


def _words_of(script: Script, spec: str) -> str:
    if spec:
        return "--config {config_path}"
    if script.library == TRANSFORMERS and _OUTPUT in script.arguments:
        given = (f"--{name} {value}" for name, value in _OF_TRANSFORMERS.items())
        return " ".join([*given, "--{overrides}"])
    return _WORDS_OF_HYDRA if script.library == HYDRA else "--{overrides}"


def _group_lines(script: Script) -> Iterator[Proposed]:
    """Yield a line for each group of a Hydra configuration with several options; a group of data is only shown."""
    for group, options in script.groups.items():
        if len(options) > 1:
            yield Proposed(
                path=group,
                values=json.dumps(list(options)),
                why=f"a group of the configuration; default {next(iter(options))}",
                is_searched=_is_chosen(group),
            )


def _is_chosen(group: str) -> bool:
    return group.rpartition("/")[2] in (*_CHOSEN, *_MODELS)


def _of_groups(script: Script) -> tuple[dict[str, str], list[Argument]]:
    """Return under which options of a group parameters act, where not under all, and those of options not used."""
    conditions: dict[str, str] = {}
    further: list[Argument] = []
    for group, options in script.groups.items():
        if len(options) > 1 and _is_chosen(group):
            listed = dict.fromkeys(one.path for values in options.values() for one in values)
            having = {path: [o for o, values in options.items() if path in {v.path for v in values}] for path in listed}
            conditions |= {p: f"{group}: {json.dumps(o)}" for p, o in having.items() if len(o) < len(options)}
            further += [one for values in options.values() for one in values]
    return conditions, further


def _length_lines(script: Script) -> Iterator[str]:
    """Yield a line for a Lightning CLI that says no end of its training: Lightning's own is 1000 epochs."""
    if script.library == LIGHTNING and script.arguments.get(_LENGTH, Argument(path=_LENGTH)).default is None:
        yield f"# set: {{{_LENGTH}: 10}}  # its epochs; without it Lightning trains for 1000"


def _line(line: Proposed, width: int) -> str:
    text = f"{line.path}: {line.values}"
    return f"  {'' if line.is_searched else '# '}{text:<{width}}  # {line.why}"


def _objective_lines(traces: Traces, library: str) -> Iterator[str]:
    if not traces.metrics and library == TRANSFORMERS:
        yield "objective: eval_loss minimize  # what the Trainer reports; or eval_ and a name of your compute_metrics"
        return
    if not traces.metrics:
        yield "objective: val_loss minimize  # the metric that your program reports, and its direction"
        return
    metric = traces.metrics[0]
    others = f"; also seen: {', '.join(traces.metrics[1:4])}" if traces.metrics[1:] else ""
    yield f"objective: {metric} {direction_of(metric)}  # seen in the source{others}; check the direction"


def _report_lines(script: Script, traces: Traces) -> Iterator[str]:
    if script.library == LIGHTNING:
        yield from _LIGHTNING_REPORT
        return
    resume = resume_argument(script.arguments)
    flag = script.arguments[resume].flag if resume else ""
    words = f"{flag} {{checkpoint}}" if flag else f"{resume}={{checkpoint}}"
    rows = [
        ("checkpoint", json.dumps(traces.checkpoint), "its checkpoints"),
        ("resume", json.dumps(words), "the words that continue from one"),
        ("metrics", traces.metric_file, "the file of metrics that it writes; without it, its log is read"),
        ("first_epoch", traces.first_epoch, "the number of its first epoch"),
    ]
    known = {
        "checkpoint": bool(traces.checkpoint),
        "resume": bool(resume),
        "metrics": bool(traces.metric_file),
        "first_epoch": traces.first_epoch is not None,
    }
    if known["checkpoint"] and not known["first_epoch"]:
        rows[-1] = ("# first_epoch", "0", "or 1: the number of its first epoch, in names and logs")
        known["# first_epoch"] = True
    if not any(known.values()):
        yield "# report: {checkpoint: 'ckpt/epoch={epoch}.pt', resume: '--resume {checkpoint}', metrics: metrics.csv}"
        return
    yield "report:"
    yield from (f"  {key}: {value}  # {why}" for key, value, why in rows if known[key])


def proposals(listed: Iterable[Argument], conditions: Mapping[str, str] = MappingProxyType({})) -> Iterator[Proposed]:
    """Yield a line for each argument that could be searched; ``conditions`` say as text under which some act."""
    arguments = tuple(listed)
    rules = load_architecture(NETWORK_ARCH)
    fixed = {*rules.keys.epochs, *rules.keys.seed}
    for argument in arguments:
        kind = _KINDS.get(argument.kind)
        is_placed = argument.is_required and not argument.flag
        if argument.path in fixed or resume_argument([argument.path]) or argument.is_any_text_true or is_placed:
            continue
        if kind is None or argument.path.startswith(f"{OWN_BLOCK}."):
            continue
        leaf = SchemaLeaf(path=argument.path, kind=kind, choices=_plain(argument.choices))
        value = argument.default
        family = family_of(rules.parameters.families, leaf, value)
        try:
            made = make_parameter(leaf, value, family=family)
        except ValueError:
            continue
        made = _limited(_on_its_scale(made, family.name), *argument.limits)
        is_known = bool(family.name) and family.name not in _NOT_SEARCHED | _MINOR and not argument.is_off
        is_known = is_known and not by_name(argument.path, rules.parameters)
        is_option = bool(argument.choices) and _CHOICE.fullmatch(argument.path) is not None
        is_of_machine = bool(_OF_MACHINE & {*re.split(r"[._-]", argument.path.lower())})
        if is_of_machine or (argument.path.startswith(_TRAINER) and not is_known):
            continue
        default = "off by default" if argument.is_off else "no default" if value is None else f"default {value}"
        reason = made.reason.partition(", inside the schema")[0].partition("; the schema has no")[0]
        reason = reason.replace("of the schema", "that it declares")
        words = filter(None, (argument.text.replace("\n", " ")[:60], default, reason))
        yield Proposed(
            path=argument.path,
            values=_values(made, conditions.get(argument.path) or _condition(argument, arguments)),
            why="; ".join(words),
            is_searched=(is_known or is_option) and "num_" not in argument.path,
        )


def _on_its_scale(made: Parameter, family: str) -> Parameter:
    """Return a range of an unknown kind around a small number by its order of magnitude: half to twice says little."""
    value = made.default
    if family or made.is_integer or made.choices or not isinstance(value, float) or not 0 < value <= _SMALL:
        return made
    note = f"a tenth to ten times the value {value:g}"
    return replace(made, low=value / 10, high=value * 10, log=True, reason=note)


def _limited(made: Parameter, low: float | None, high: float | None) -> Parameter:
    """Return a range inside the limits that the program declares; its ends do not move, they would leave these."""
    if made.choices or (low is None and high is None):
        return made
    ends = made.bounds
    inside = max(ends[0], ends[0] if low is None else low), min(ends[1], ends[1] if high is None else high)
    return replace(made, low=inside[0], high=inside[1], derived=()) if inside[0] < inside[1] else made


def _plain(choices: Iterable[JsonValue]) -> tuple[bool | int | float | str | None, ...]:
    return tuple(choice for choice in choices if not isinstance(choice, dict | list))


def _condition(argument: Argument, arguments: Iterable[Argument]) -> str:
    """Return under which optimisers a momentum acts, as text; empty where that is not known."""
    if "momentum" not in argument.path:
        return ""
    for other in arguments:
        acting = [choice for choice in other.choices if str(choice).lower() in _WITH_MOMENTUM]
        if acting and len(acting) < len(other.choices):
            return f"{other.path}: {json.dumps(acting)}"
    return ""


def _values(made: Parameter, condition: str) -> str:
    if made.choices:
        options = json.dumps(list(made.choices))
        return f"{{options: {options}, when: {{{condition}}}}}" if condition else options
    low, high = (_number(made, end) for end in made.bounds)
    scale = "log" if made.log else "one_minus_log" if made.log_to_one else ""
    words = " ".join(filter(None, (f"{low}..{high}", scale, "elastic" if made.derived else "")))
    return f"{{range: {words}, when: {{{condition}}}}}" if condition else words


def _number(made: Parameter, value: float) -> str:
    if made.is_integer:
        return str(int(value))
    text = f"{value:.3g}" if not made.log_to_one else f"{1 - float(f'{1 - value:.3g}'):.12g}"
    return text if any(mark in text for mark in ".e") else f"{text}.0"


def script_of(words: str, folder: Path) -> tuple[Script, str]:
    """Return what is known of a script, named by its file or by a whole command, and the command that runs it."""
    if words.endswith(".py") and Path(words).is_file():
        here = followed(Path(words))
        words = shlex.quote(str(here.relative_to(folder) if here.is_relative_to(folder) else here))
        command = f"python {words}"
    else:
        command = f"python {words}" if words.endswith(".py") and len(words.split()) == 1 else words
    script = read_script(command, folder)
    trees = [tree for file in script.files if (tree := parsed(file)) is not None]
    if script.subcommand and script.subcommand not in words.split():
        command += f" {script.subcommand}"
    if script.library == LIGHTNING and any(map(needs_subcommand, trees)) and not _SUBCOMMANDS & {*words.split()}:
        command += " fit"
    return script, command


def skill_files(folder: Path) -> dict[Path, str]:
    """Return the files of a skill package that trains something at once, for its author to replace."""
    name = folder.name.replace("-", "_")
    files = {folder / file: text.replace("@NAME@", name) for file, text in _SKILL.items()}
    return {file: text.replace("@FOLDER@", str(folder)) for file, text in files.items()}


_SKILL = {
    "skill_info.yaml": """\
# A model skill: what `automl` runs, and what it evaluates a training by. Every key: docs/reference/skill_info.md.
name: @NAME@
network_arch: @NAME@
automl_enabled: true
actions:
  train:
    command: python '@FOLDER@/train.py' {config_path}  # runs in the folder of the trial
    metric: val_loss
    metric_direction: minimize
spec_params:
  train:
    results_dir: output_dir           # filled with the folder of the trial
    train.resume_from: resume_model   # filled with a checkpoint when a trial continues
spec_shorthand_keys:
  num_epochs: train.num_epochs
""",
    "spec_template_train.yaml": """\
# The whole spec with the values that you would use today: trial 0.
results_dir: ''
train:
  num_epochs: 5
  resume_from: ''
  lr: 0.1
""",
    "train.schema.json": """\
{"properties": {
  "results_dir": {"type": "string"},
  "train": {"properties": {
    "num_epochs": {"type": "int", "minimum": 1},
    "resume_from": {"type": "string"},
    "lr": {"type": "float", "minimum": 0.001, "maximum": 1.0, "automl_enabled": true}
  }}
}}
""",
    "train.py": '''\
"""Replace this by your trainer: it reads the spec, reports one line for each epoch, and saves each epoch."""

import json
import sys
from pathlib import Path

import yaml

spec = yaml.safe_load(Path(sys.argv[1]).read_text())
folder, settings = Path(spec["results_dir"]), spec["train"]
epoch, weight = 0, 0.0
if settings["resume_from"]:
    epoch, weight = json.loads(Path(settings["resume_from"]).read_text())
for epoch in range(epoch, settings["num_epochs"]):
    weight += settings["lr"] * 2 * (1 - weight)
    with (folder / "status.json").open("a") as status:
        status.write(json.dumps({"epoch": epoch, "kpi": {"val_loss": (1 - weight) ** 2}}) + "\\n")
    (folder / f"model_epoch_{epoch:03d}.pth").write_text(json.dumps([epoch + 1, weight]))
''',
}
