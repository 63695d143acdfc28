"""The Optuna journal: what optuna-dashboard and Optuna itself read of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState as OptunaState

from automl.samplers.optuna_journal import OptunaJournal
from automl.samplers.registry import make_searcher
from automl.study.trial import TrialState
from automl.testing.samplers import finish, play
from automl.testing.studies import ended, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from automl.samplers.searcher import Searcher


def load(file: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(file), lock_obj=JournalFileOpenLock(str(file))))
    (name,) = (study.study_name for study in storage.get_all_studies())
    return optuna.load_study(study_name=name, storage=storage)


def write(journal: OptunaJournal, searcher: Searcher) -> None:
    for observation in searcher.history.observations:
        journal.update(observation)


def test_optuna_reads_parameters_values_and_states(tmp_path: Path) -> None:
    plan = plan_of("random")
    searcher = make_searcher(plan)
    ends = (TrialState.COMPLETED, TrialState.DIVERGED, TrialState.STOPPED, TrialState.FAILED)
    proposals = play(searcher, 4, ends)
    searcher.ask()

    write(OptunaJournal(tmp_path / "journal.log", plan), searcher)

    study = load(tmp_path / "journal.log")
    states = [OptunaState.COMPLETE, OptunaState.FAIL, OptunaState.PRUNED, OptunaState.FAIL, OptunaState.RUNNING]
    assert [trial.state for trial in study.trials] == states
    assert study.trials[0].user_attrs["automl:assignment"] == dict(proposals[0].assignment)
    assert study.trials[0].user_attrs["automl:origin"] == "template"
    assert study.trials[2].values is not None
    assert study.trials[2].intermediate_values == {0: study.trials[2].values[0] - 0.1}


def test_a_trial_is_written_as_it_grows_and_once(tmp_path: Path) -> None:
    plan = plan_of("random")
    searcher, journal = make_searcher(plan), OptunaJournal(tmp_path / "journal.log", plan)
    proposal = searcher.ask()
    assert proposal is not None
    write(journal, searcher)
    searcher.observe(0, 0, 0.25)
    write(journal, searcher)
    finish(searcher, proposal)
    write(journal, searcher)
    size = (tmp_path / "journal.log").stat().st_size
    write(journal, searcher)

    assert (tmp_path / "journal.log").stat().st_size == size
    (trial,) = load(tmp_path / "journal.log").trials
    assert (trial.state, trial.intermediate_values[0]) == (OptunaState.COMPLETE, 0.25)


def test_a_journal_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "journal.log").write_text("torn", encoding="utf-8")
    plan = plan_of("random")
    searcher = make_searcher(plan)
    searcher.ask()

    write(OptunaJournal(tmp_path / "journal.log", plan), searcher)

    assert len(load(tmp_path / "journal.log").trials) == 1


def test_a_journal_that_cannot_be_written_is_given_up_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_of("random")
    searcher, journal = make_searcher(plan), OptunaJournal(tmp_path / "missing" / "journal.log", plan)
    for number in range(2):
        searcher.ask()
        write(journal, searcher)
        searcher.tell(ended(number))

    write(journal, searcher)

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cannot be written" in caplog.text


def test_optuna_remembers_no_trial_that_has_ended(tmp_path: Path) -> None:
    plan = plan_of("random")
    searcher, journal = make_searcher(plan), OptunaJournal(tmp_path / "journal.log", plan)
    play(searcher, 5)

    write(journal, searcher)

    storage = journal._storage  # noqa: SLF001 # what it costs
    assert storage is not None
    assert len({id(trial) for trial in storage.get_all_trials(0, deepcopy=False)}) == 1
    assert len({trial.number for trial in load(tmp_path / "journal.log").trials}) == 5
