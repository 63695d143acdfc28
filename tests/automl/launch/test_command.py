from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from automl.errors import LaunchError, LaunchFailure
from automl.launch.command import bin_directory, build_command, fill_command, find_program, search_path

AWKWARD = Path('/results/it\'s "two" $HOME `x`\\/spec.yaml')


def test_a_plain_command_becomes_an_argument_list() -> None:
    assert build_command("depth_net train -e {config_path}", Path("/r/spec.yaml")) == (
        "depth_net",
        "train",
        "-e",
        "/r/spec.yaml",
    )


def test_a_path_inside_a_word_is_one_argument_though_it_has_blanks() -> None:
    assert build_command("train --config={config_path}", Path("/a b/s.yaml")) == ("train", "--config=/a b/s.yaml")


@pytest.mark.parametrize(
    "template",
    [
        "hook=$(printf x); printf '%s\\n' {config_path} $hook",
        "cd / && printf '%s\\n' {config_path}",
        'true; printf "%s\\n" "{config_path}"',
        "true; printf '%s\\n' '{config_path}'",
        "true; printf '%s\\n' pre\\'{config_path}",
        "python3 -c 'import sys; print(sys.argv[1])' {config_path} <<'PY'\n$(false)\nPY",
    ],
)
def test_a_shell_template_receives_the_path_as_it_is(template: str) -> None:
    command = build_command(template, AWKWARD)

    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert command[:2] == ("bash", "-c")
    assert str(AWKWARD) in output.splitlines()[0]


def test_nothing_but_the_token_is_replaced_in_a_script() -> None:
    script = 'a="{x} $y"\nrun {config_path} {y}\n'

    assert build_command(script, Path("/s.yaml"))[2] == 'a="{x} $y"\nrun /s.yaml {y}\n'


@pytest.mark.parametrize("template", ["train", "train {config_path} {config_path}"])
def test_the_token_must_occur_exactly_once(template: str) -> None:
    with pytest.raises(LaunchError, match="exactly once"):
        build_command(template, Path("/s.yaml"))


def test_an_open_quotation_is_reported() -> None:
    with pytest.raises(LaunchError, match="cannot be split"):
        build_command("train 'x {config_path}", Path("/s.yaml"))


def test_the_console_scripts_of_this_environment_are_found_first() -> None:
    assert find_program("pytest").parent == bin_directory()
    assert search_path({"PATH": f"/x:{bin_directory()}:/y"}) == f"{bin_directory()}:/x:/y"
    assert bin_directory() == Path(sys.executable).parent


def test_a_missing_program_is_named_with_the_places_that_were_searched() -> None:
    with pytest.raises(LaunchError, match=r"'no-such-program' was found neither in .* nor on PATH"):
        find_program("no-such-program")


@pytest.mark.parametrize(("template", "places"), [("train {x}", {"{x}": "a\0b"}), ("train {x} && a", {"{x}": "a\0b"})])
def test_a_value_with_a_zero_byte_is_given_to_no_program(template: str, places: dict[str, str]) -> None:
    with pytest.raises(LaunchError, match="zero byte") as caught:
        fill_command(template, places)

    assert caught.value.failure is LaunchFailure.COMMAND
