"""`automl export-history`: what studies measured, without their data, in one file for others."""

from __future__ import annotations

from pathlib import Path

import click

from automl.cli.completion import completing, studies
from automl.cli.options import StudyPath, json_option, print_json
from automl.cli.paths import wrong_argument
from automl.errors import ConfigurationError, Problem, counted

commands = click.Group()


@commands.command("export-history")
@click.argument(
    "roots",
    metavar="STUDY...",
    nargs=-1,
    required=True,
    type=StudyPath(),
    shell_complete=completing(studies, has_files=True),
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The JSON file.")
@click.option("--name", metavar="NAME", help="What the study is called in the file, of one study [its folder's name].")
@json_option()
def _export_history(roots: tuple[Path, ...], *, output: Path, name: str | None, as_json: bool) -> None:
    """Write what ended studies measured to a file that other studies learn from with --studies.

    It has space, observations, objective and durations. It has no paths, no data, no names of hosts or users, and no
    text of the spec but options of the skill's schema; a study in which something of that is left is refused.
    """
    from automl.storage.history_file import shared_history, write_histories
    from automl.storage.output_file import require_output
    from automl.storage.study_directory import why_unreadable

    if name is not None and len(roots) > 1:
        raise wrong_argument("--name", f"{len(roots)} studies", "one study", "export each by itself")
    histories, problems = [], list[Problem]()
    for root in roots:
        try:
            histories.append(shared_history(root, name))
        except ConfigurationError as error:
            problems += error.problems
        except OSError as error:
            fix = "name the folder of one study"
            problems.append(Problem(where=str(root), found=why_unreadable(root, error), expected="a study", fix=fix))
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the history")
    try:
        require_output(output, mark='"automl_history"', kind="a history")
        write_histories(output, histories)
    except OSError as error:
        raise wrong_argument(
            "--output", error.strerror or str(error), "a file that can be written", "choose another"
        ) from error
    trials = sum(len(history.trials) for history in histories)
    if as_json:
        print_json({"file": str(output), "studies": [history.name for history in histories], "trials": trials})
    else:
        studies = "1 study" if len(histories) == 1 else f"{len(histories)} studies"
        click.echo(f"{output}: {studies}, {counted(trials, 'trial')}")
