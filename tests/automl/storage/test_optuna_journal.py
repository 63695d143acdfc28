from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from automl.errors import ConfigurationError
from automl.samplers.factory import make_searcher
from automl.storage.optuna_journal import Journal, read_reports, repair_tail
from automl.study.trial import TrialState
from tests.contracts.searcher import play
from tests.contracts.studies import ACCURACY, ended, plan_of

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import sys, time
from pathlib import Path
from automl.samplers.factory import make_searcher
from tests.contracts.studies import plan_of
searcher = make_searcher(plan_of("random"), Path(sys.argv[1]))
while True:
    proposal = searcher.ask()
    for epoch in range(100):
        searcher.observe(proposal.number, epoch, 0.5)
        print(proposal.number, epoch, flush=True)
"""


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    searcher = make_searcher(plan_of("random"), file)
    play(searcher, 3)
    before = searcher.history
    searcher.close()
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"op_code":6,"worker_id":"abc","trial')

    reopened = make_searcher(plan_of("random"), file)

    assert reopened.history == before
    assert play(reopened, 1)[0].number == 3
    reopened.close()
    assert all(json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())


def test_a_last_block_of_zeros_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    file.write_bytes(b'{"op_code":0}\n' + b"\0" * 50 + b"\n")

    assert repair_tail(file) == 51
    assert file.read_bytes() == b'{"op_code":0}\n'


def test_a_damaged_line_in_the_middle_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    content = b'{"op_code":0}\nnonsense\n{"op_code":1}\n{"torn'
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"journal\.log: line 2"):
        make_searcher(plan_of("random"), file)

    assert file.read_bytes() == content


def test_a_journal_that_was_cut_anywhere_is_refused_or_read_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    searcher = make_searcher(plan_of("random"), file)
    play(searcher, 8)
    whole = {o.number: o for o in searcher.history.observations}
    searcher.close()
    content, generator = file.read_bytes(), random.Random(5)  # noqa: S311 # places, no secret
    lines = content.splitlines(keepends=True)
    refused, read = 0, 0
    for cut in range(80):
        begin, length = generator.randrange(len(content) - 400), generator.choice([1, 3, 40, 400])
        line = generator.randrange(1, len(lines) - 1)
        damaged = content[:begin] + content[begin + length :] if cut % 2 else b"".join(lines[:line] + lines[line + 1 :])
        file.write_bytes(damaged)

        try:
            reopened = make_searcher(plan_of("random"), file)
        except ConfigurationError as error:
            refused += str(file) in str(error) and file.read_bytes() == damaged
            continue
        found, read = reopened.history.observations, read + 1
        reopened.close()
        # What is missing at the end, or of an end, is taken up from the results of the trials.
        assert all(o.assignment == whole[o.number].assignment for o in found)
        assert all(o.values == whole[o.number].values for o in found if not o.is_open)
    assert refused + read == 80
    assert min(refused, read) > 20


def test_a_second_owner_is_refused_and_named(tmp_path: Path) -> None:
    first = make_searcher(plan_of("random"), tmp_path / "journal.log")

    with pytest.raises(ConfigurationError, match=f"process {os.getpid()} is running this study"):
        make_searcher(plan_of("random"), tmp_path / "journal.log")

    first.close()
    make_searcher(plan_of("random"), tmp_path / "journal.log").close()


def test_a_killed_writer_keeps_neither_lock_nor_half_a_line(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        reported = [writer.stdout.readline() for _ in range(130)]
        with pytest.raises(ConfigurationError, match=f"process {writer.pid}"):
            make_searcher(plan_of("random"), file)
        writer.send_signal(signal.SIGKILL)
        reported += writer.stdout.readlines()

    start = time.monotonic()
    searcher = make_searcher(plan_of("random"), file)

    assert time.monotonic() - start < 5.0
    journaled = {(number, epoch) for number, epoch, _ in read_reports(file)}
    assert {tuple(map(int, line.split())) for line in reported if line.endswith("\n")} <= journaled
    assert [o.number for o in searcher.history.observations] == list(range(len(searcher.history.observations)))


def test_reports_come_back_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    searcher = make_searcher(plan_of("random"), tmp_path / "journal.log")
    searcher.ask()
    searcher.ask()
    made = [(1, 0, 0.3), (0, 0, 0.4), (1, 1, 0.5), (0, 1, 0.2)]
    for report in made:
        searcher.observe(*report)

    assert list(read_reports(tmp_path / "journal.log")) == made
    assert read_reports(tmp_path / "missing.log") == ()


def test_a_kill_between_the_two_lines_of_an_end_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "journal.log"
    searcher = make_searcher(plan_of("random"), file)
    searcher.ask()
    searcher.tell(ended(0, TrialState.STOPPED, {"accuracy": 0.25}))
    searcher.close()
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-1]), encoding="utf-8")

    reopened = make_searcher(plan_of("random"), file)

    assert not reopened.open_proposals()
    assert reopened.history.observations[0].values == (0.25,)


def test_the_reason_of_an_end_is_kept(tmp_path: Path) -> None:
    searcher = make_searcher(plan_of("random"), tmp_path / "journal.log")
    searcher.ask()
    searcher.tell(ended(0, TrialState.DIVERGED))
    searcher.close()

    journal = Journal(tmp_path / "journal.log", "toy", (ACCURACY,))

    end = journal.trials()[0].end
    assert end is not None
    assert (end.state, end.reason, end.values) == (TrialState.DIVERGED, "said so", ())


@pytest.mark.filterwarnings("default")  # its own imports warn
def test_optuna_dashboard_reads_the_journal_while_the_study_owns_it(tmp_path: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    searcher = make_searcher(plan_of("random"), tmp_path / "journal.log")
    play(searcher, 3)
    application = dashboard.wsgi(JournalStorage(JournalFileBackend(str(tmp_path / "journal.log"))))

    (study,) = answer(application, "/api/studies")["study_summaries"]
    trials = answer(application, f"/api/studies/{study['study_id']}", "after=0")["trials"]
    searcher.close()

    assert (study["study_name"], study["directions"]) == (plan_of("random").name, ["maximize"])
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert [trial["state"] for trial in trials] == ["Complete", "Fail", "Pruned"]
    assert all({param["name"] for param in trial["params"]} <= set(plan_of("random").space.paths) for trial in trials)
    assert all(trial["params"] for trial in trials)


def answer(application: Any, path: str, query: str = "") -> dict[str, Any]:  # noqa: ANN401 # a WSGI application
    environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environ)
    document: dict[str, Any] = json.loads(b"".join(application(environ, lambda *_: None)))
    return document
