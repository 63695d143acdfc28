"""`automl logs` prints what a trial wrote, and goes on with -f until it ends."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from automl.storage.paths import StudyPaths
from automl.study.trial import TrialState
from tests.automl.cli.study_folder import TRIALS, write_study
from tests.automl.storage.recorded import write_result

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RUNNING = dataclasses.replace(TRIALS[0], state=TrialState.RUNNING, values={}, attempt=2, directory="trials/0000.2")


def write_log(root: Path, text: str, folder: str = "0000.2") -> Path:
    log = root / "trials" / folder / "train.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(text)
    return log


def test_the_log_of_the_latest_attempt_is_printed_as_it_is(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    root = write_study(tmp_path / "example", (RUNNING,))
    write_log(root, "old\n", "0000")
    write_log(root, "new \u00e4\n")

    assert run_command_line(["logs", str(root), "0"]) == 0
    assert capfdbinary.readouterr().out == "new \u00e4\n".encode()


def test_control_characters_of_a_log_are_shown_as_text_unless_it_is_wanted_raw(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    root = write_study(tmp_path / "example", (RUNNING,))
    log = write_log(root, "\x1b[32mgreen\x1b[0m\r\n10%\r20%\r\n")
    with log.open("ab") as stream:
        stream.write(b"\xff\x1b]0;t\x07")

    assert run_command_line(["logs", str(root), "0"]) == 0
    assert capfdbinary.readouterr().out == rb"\x1b[32mgreen\x1b[0m" + b"\n10%\n20%\n" + rb"\xff\x1b]0;t\x07"

    assert run_command_line(["logs", str(root), "0", "--raw"]) == 0
    assert capfdbinary.readouterr().out == log.read_bytes()


def test_what_is_written_later_follows_until_the_trial_ends(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.cli.study_commands.running_process", lambda _: 1)
    root = write_study(tmp_path / "example", (RUNNING,))
    write_log(root, "first\n")

    def go_on() -> None:
        time.sleep(0.5)
        write_log(root, "second\n")
        write_result(StudyPaths(root), dataclasses.replace(RUNNING, state=TrialState.COMPLETED))

    writer = threading.Thread(target=go_on)
    writer.start()
    status = run_command_line(["logs", str(root), "0", "-f"])
    writer.join()

    assert status == 0
    assert capfdbinary.readouterr().out == b"first\nsecond\n"


def test_a_study_that_nobody_runs_is_not_waited_for(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    root = write_study(tmp_path / "example", (RUNNING,))
    write_log(root, "first\n")

    assert run_command_line(["logs", str(root), "0", "-f"]) == 0
    assert capfdbinary.readouterr().out == b"first\n"


def test_an_unknown_trial_and_a_missing_log_are_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example", (RUNNING,))

    assert run_command_line(["logs", str(root), "7"]) == 2
    assert "no such trial" in capfd.readouterr().err
    assert run_command_line(["logs", str(root), "0"]) == 2
    assert "train.log" in capfd.readouterr().err


def test_a_log_that_a_trainer_replaced_by_a_link_is_not_printed(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    root = write_study(tmp_path / "example", (RUNNING,))
    log = write_log(root, "")
    log.unlink()
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    log.symlink_to(tmp_path / "secret")

    assert run_command_line(["logs", str(root), "0"]) == 2
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"a link to a file outside the folder of its trial" in err


def test_json_has_the_log_as_text_and_no_terminal_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example", (RUNNING,))
    log = write_log(root, "epoch 1\repoch 2\n")

    assert run_command_line(["logs", str(root), "0", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {"trial": 0, "attempt": 2, "log": str(log), "text": "epoch 1\nepoch 2\n"}
    assert run_command_line(["logs", str(root), "0", "--json", "-f"]) == 2
