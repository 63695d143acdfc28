"""The command ``depth_net``: ``depth_net train -e spec.yaml key=value ...`` and the other actions.

`main` keeps no global state and imports heavy libraries only for the commands that need them, so that a server can
import once (`preload`) and call it in a forked child.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from typing_extensions import override

from depth_net.errors import DepthNetError
from depth_net.status import reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

logger = logging.getLogger(__name__)

ACTIONS: Final = {
    "train": "train a model",
    "evaluate": "score a checkpoint on the test split",
    "inference": "predict depth for images",
    "export": "write an ONNX file",
    "quantize": "store the weights in 8 bits",
    "convert": "write annotation files for a folder of images",
}
_EXTRA: Final = "automl-vision[depth]"
"""What brings the libraries of the actions, of which three stand for all."""
_OF_EXTRA: Final = ("torch", "lightning", "cv2")
_WITHOUT_EXTRA: Final = ("default_specs", "gen_trt_engine")


class StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stdout``: a progress bar replaces it by a proxy that keeps lines apart."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        argv: Arguments after the program's name; None reads those of this process.
    """
    _print_any_name()
    _configure_logging()
    arguments = _parse(argv)
    missing = [name for name in _OF_EXTRA if importlib.util.find_spec(name) is None]
    if missing and arguments.action not in _WITHOUT_EXTRA:
        return _refuse(f"not installed: {', '.join(missing)}; they come with the extra: pip install '{_EXTRA}'")
    return _start(arguments)


def _start(arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "default_specs":
            return _run_command(lambda: _default_specs(arguments))
        case "demo-data":
            return _run_command(lambda: _demo_data(Path(arguments.directory)))
        case "check":
            return _run_command(lambda: _check(arguments))
        case "convert" if arguments.preset:
            return _run_command(lambda: _convert_preset(arguments.preset, arguments.overrides))
        case "gen_trt_engine":
            return _run_command(lambda: _describe_engine(arguments))
        case _:
            return _run(arguments)


def preload() -> None:
    """Import everything that training needs, for a process that will be forked."""
    from depth_net.execution import import_action  # noqa: PLC0415 - imports pydantic

    for action in ("check", "train"):
        import_action(action)
    from depth_net.training.compile_cache import import_compiler  # noqa: PLC0415 - imports PyTorch

    import_compiler()


def stand_by() -> None:
    """Start the driver of the GPUs that a forked process will train on, before it knows what."""
    from depth_net.gpu_driver import start_driver  # noqa: PLC0415 - as above

    start_driver()


def _run(arguments: argparse.Namespace) -> int:
    from depth_net.execution import INTERRUPTED, Request, execute  # noqa: PLC0415 - imports pydantic

    if arguments.action == "inference" and not arguments.experiment_spec_file and arguments.checkpoint:
        return _infer_without_spec(arguments)
    if not arguments.experiment_spec_file:
        also = ", or --checkpoint and --input" if arguments.action == "inference" else ""
        return _refuse(f"no spec: name it with -e SPEC{also}")
    spec = Path(arguments.experiment_spec_file)
    if not spec.is_file():
        return _refuse(f"the spec {spec} does not exist")
    overrides = (*arguments.overrides, *_options(arguments))
    exit_status = execute(Request(action=arguments.action, spec=spec, overrides=overrides))
    # The last line of the log, which the reference's tools look for.
    ended = {0: "PASS", **dict.fromkeys(INTERRUPTED, "STOPPED")}
    logger.info("Execution status: %s", ended.get(exit_status, "FAIL"))
    return exit_status


def _infer_without_spec(arguments: argparse.Namespace) -> int:
    """Predict with what the checkpoint says about itself."""
    from depth_net.config.tree import to_yaml  # noqa: PLC0415 - imports yaml
    from depth_net.model.spec_of_weights import spec_of_weights  # noqa: PLC0415 - imports PyTorch

    try:
        text = to_yaml(spec_of_weights(Path(arguments.checkpoint).expanduser()))
    except DepthNetError as error:
        return _refuse(f"Weights error: {error}")
    with tempfile.TemporaryDirectory(prefix="depth_net_") as folder:
        arguments.experiment_spec_file = str(Path(folder, "inference.yaml"))
        Path(arguments.experiment_spec_file).write_text(text, encoding="utf-8")
        return _run(arguments)


def _options(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the options of a command as overrides."""
    given = vars(arguments)
    if given.get("protocol"):
        yield f"evaluate.protocol={given['protocol']}"
    if given.get("checkpoint"):
        yield f"inference.checkpoint={given['checkpoint']}"
    if given.get("input"):
        yield f"dataset.infer_dataset.data_sources={json.dumps([{'data_file': given['input']}])}"


def _refuse(text: str) -> int:
    logger.error(text)
    logger.info("Execution status: FAIL")
    return 1


def _default_specs(arguments: argparse.Namespace) -> int:
    from depth_net.templates import write_default_specs  # noqa: PLC0415 - only for this command

    words = dict(word.split("=", 1) for word in arguments.overrides if "=" in word)
    folder = words.get("results_dir") or next((word for word in arguments.overrides if "=" not in word), "")
    for path in write_default_specs(Path(folder or "default_specs")):
        print(path)  # noqa: T201 - the command's output
    return 0


def _demo_data(directory: Path) -> int:
    from depth_net.actions.demo_data import write_demo_data  # noqa: PLC0415 - imports NumPy and OpenCV

    write_demo_data(directory)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from depth_net.config.checks import absent_weights, spec_notices  # noqa: PLC0415 - only for this command
    from depth_net.spec import load_spec  # noqa: PLC0415 - as above

    if not arguments.experiment_spec_file:
        return _refuse("no spec: name it with -e SPEC")
    config = load_spec(arguments.experiment_spec_file, arguments.overrides, action="check")
    from depth_net.actions.check import CheckReport, describe_run, inspect_data  # noqa: PLC0415 - imports NumPy and OpenCV
    from depth_net.actions.check_weights import weights_findings  # noqa: PLC0415 - as above

    devices = config.train.num_gpus * config.train.num_nodes
    report = CheckReport((), ()) if arguments.no_data else inspect_data(config, devices=devices)
    findings = (*report.findings, *weights_findings(config))
    absent = [f"error: {problem}" for problem in absent_weights(config, "check")]
    notices = [f"notice: {notice}" for notice in spec_notices(config, "check")]
    for line in (*report.sources, describe_run(config), *notices, *findings, *absent):
        print(line)  # noqa: T201 - the command's output
    found, errors = (len(some) + len(absent) for some in (findings, report.errors))
    print(f"{found} findings, {errors} of them errors")  # noqa: T201 - the command's output
    return 1 if errors else 0


def _convert_preset(preset: str, arguments: Sequence[str]) -> int:
    from depth_net.actions.convert import convert_preset  # noqa: PLC0415 - imports OpenCV
    from depth_net.spec import preset_config  # noqa: PLC0415 - imports pydantic

    report, spec = convert_preset(preset, preset_config(arguments))
    for path, lines in report.files:
        print(f"{path}  {lines} lines")  # noqa: T201 - the command's output
    print(f"\n{spec}\n{spec.read_text(encoding='utf-8')}", end="")  # noqa: T201 - the command's output
    return 0


def _describe_engine(arguments: argparse.Namespace) -> int:
    from depth_net.actions.gen_trt_engine import describe  # noqa: PLC0415 - only for this command

    print(describe(Path(arguments.experiment_spec_file or "spec.yaml"), arguments.overrides))  # noqa: T201 - the command's output
    return 1  # nothing was built


def _run_command(command: Callable[[], int]) -> int:
    try:
        return command()
    except (DepthNetError, OSError) as error:
        logger.error("%s", error)  # noqa: TRY400 - a traceback adds nothing
        return 1


def _print_any_name() -> None:
    """Escape file names that cannot be encoded for this terminal instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _configure_logging() -> None:
    """Log to standard output at TAO_LOGGING_LEVEL, as the reference does, unless logging is already configured.

    In a distributed run, processes after the first one log errors only.
    """
    if logging.getLogger().handlers:
        return
    level = os.environ.get("TAO_LOGGING_LEVEL", "INFO").upper() if reports() else "ERROR"
    logging.basicConfig(
        level=level if level in logging.getLevelNamesMapping() else "INFO",
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[StandardOutput()],
    )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command; overrides may stand on both sides of ``-e``, which argparse alone does not allow."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    unknown = [word for word in rest if word.startswith("-") or not hasattr(arguments, "overrides")]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if rest:
        arguments.overrides = [*arguments.overrides, *rest]
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="depth_net", description="Monocular depth: train, evaluate, export.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text)
        _add_spec_arguments(action)
        if name == "convert":
            action.add_argument(
                "--preset", metavar="NAME", help="find kitti, vkitti2, hypersim, diode, ... in a folder"
            )
        if name == "inference":
            action.add_argument(
                "--input",
                metavar="PATH",
                help="image, folder, pattern in quotes, list or video to predict",
            )
            action.add_argument("--checkpoint", metavar="PATH", help="as inference.checkpoint=PATH")
        if name == "evaluate":
            action.add_argument("--protocol", metavar="NAME", help="nyu, kitti or da2, as evaluate.protocol=NAME")
    check = actions.add_parser("check", help="check the spec and its data without training")
    _add_spec_arguments(check)
    check.add_argument("--no-data", action="store_true", help="check the spec and its weights alone")
    _add_spec_arguments(actions.add_parser("gen_trt_engine", help="print the command that builds a TensorRT engine"))
    specs = actions.add_parser("default_specs", help="write a spec with all defaults for each action")
    specs.add_argument("overrides", nargs="*", metavar="DIR", help="folder, also as results_dir=DIR")
    demo = actions.add_parser("demo-data", help="write the demo data set")
    demo.add_argument("directory", help="folder to write to")
    return parser


def _add_spec_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-e", "--experiment_spec_file", metavar="SPEC", help="YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the spec")
