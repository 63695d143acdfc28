"""What a plan keeps of earlier studies, and that it is what a resume proposes from."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from automl.earlier_studies import Source
from automl.errors import ConfigurationError
from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.run import make_plan
from automl.samplers.gaussian_process.training_data import unit_of
from automl.samplers.registry import make_searcher
from automl.storage.history_file import shared_history, write_histories
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan, write_plan
from automl.storage.study_history import read_history
from automl.study.evaluation import RecordLocation
from automl.study.objectives import Direction
from automl.study.replication import most_replicates
from automl.study.trial import TrialResult, TrialState
from automl.transfer import noise_of, observed, why_not
from tests.automl.storage.recorded import write_result

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.earlier import StudyHistory
    from automl.study.model import StudyPlan

REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=3)
RECORD = RecordLocation(tracking_uri="sqlite:///x.db", experiment="example")


def write_study(results: Path, name: str, *, seed: int, trials: int = 8, **settings: object) -> None:
    """Write an ended study of the toy skill whose values fall with the distance from the middle of the space."""
    request = REQUEST.with_settings(seed=seed, warm_start=(), **settings)
    plan = make_plan(request.with_settings(name=name), RunLocation(results=results / "none"))
    directory = StudyPaths(results / name)
    directory.root.mkdir(parents=True)
    write_plan(directory, plan, request, RECORD, results)
    for number in range(trials):
        position = (number + 0.5 + seed / 10) / (trials + 1)
        value = 1.0 - (position - 0.5) ** 2
        state = TrialState.DIVERGED if number == trials - 1 else TrialState.COMPLETED
        write_result(
            directory,
            TrialResult(
                number=number,
                state=state,
                assignment=plan.space.from_unit(dict.fromkeys(plan.space.paths, position)),
                values={} if state is TrialState.DIVERGED else {plan.objective.metric: value},
                directory=f"trials/{number:04d}",
            ),
        )


def test_a_plan_keeps_what_two_or_more_earlier_studies_measured_and_names_them(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        write_study(tmp_path, f"room{seed}", seed=seed)

    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    assert {study.name for study in plan.earlier} == {"room1", "room2", "room3"}
    assert [len(study.trials) for study in plan.earlier] == [8] * 3
    assert plan.earlier[0].trials[-1].value is None
    assert len(plan.first_trials) == 1
    sentence = plan.reasons[-1]
    assert sentence.startswith("it learns from earlier studies as far as their values follow a pattern: ")
    assert all(f"room{seed}" in sentence for seed in (1, 2, 3))
    assert "room1 (8 trials)" in sentence
    assert "--no-warm-start" in sentence


def with_replicates(history: StudyHistory, *again: tuple[int, float | None]) -> StudyHistory:
    """Return a history with replicates: (trial, by how much another seed was better; None where it diverged)."""
    by_number = {trial.number: trial for trial in history.trials}
    replicates = [
        replace(
            by_number[number],
            number=100 + i,
            replicate_of=number,
            value=None if gain is None else (by_number[number].value or 0.0) + gain,
            state=TrialState.DIVERGED if gain is None else TrialState.COMPLETED,
        )
        for i, (number, gain) in enumerate(again)
    ]
    return replace(history, trials=(*history.trials, *replicates))


def turned(history: StudyHistory) -> StudyHistory:
    """Return the same study of a loss."""
    trials = [replace(trial, value=None if trial.value is None else -trial.value) for trial in history.trials]
    return replace(history, direction=Direction.MINIMIZE, trials=tuple(trials))


def test_the_noise_of_a_study_is_the_spread_of_its_replicates_in_units_of_good_scores(tmp_path: Path) -> None:
    write_study(tmp_path, "study", seed=1)
    history = read_history(tmp_path / "study")
    unit = unit_of([trial.value for trial in history.trials if trial.value is not None])
    noisy = with_replicates(history, (3, 0.2), (4, -0.4))

    assert noise_of(history) is None
    assert noise_of(with_replicates(history, (3, 0.2))) is None  # one replicate says nothing
    assert noise_of(noisy) == pytest.approx(math.sqrt((2 * 0.1**2 + 2 * 0.2**2) / 2) / unit)
    assert noise_of(turned(noisy)) == pytest.approx(noise_of(noisy))
    equal = [replace(t, value=t.value and 0.5) for t in noisy.trials if t.replicate_of is None]
    again = [t for t in noisy.trials if t.replicate_of is not None]
    assert noise_of(replace(noisy, trials=(*equal, *again))) is None  # good trials have no spread
    stopped = [replace(t, state=TrialState.STOPPED) if t.number in {3, 4} else t for t in noisy.trials]
    assert noise_of(replace(noisy, trials=tuple(stopped))) is None  # what they had early is no second training


def test_a_replicate_that_diverged_or_a_lucky_one_makes_a_study_noisy(tmp_path: Path) -> None:
    write_study(tmp_path, "study", seed=1)
    history = read_history(tmp_path / "study")
    quiet = ((3, 0.0), (4, 0.0), (5, 0.0), (3, 0.0))

    assert noise_of(with_replicates(history, *quiet)) == pytest.approx(0.0)
    for outlier in (None, 0.2):
        assert (noise_of(with_replicates(history, *quiet, (4, outlier))) or 0.0) > 0.1


@pytest.mark.parametrize(
    ("noises", "settings", "kept"),
    [
        ((0.0, 0.02, None), {}, 0),
        ((0.0, 0.5), {}, 5),
        ((0.0, None), {}, 5),
        ((0.0, 0.0), {"replicates": "auto"}, 5),
    ],
)
def test_a_race_is_dropped_where_the_seed_decided_nothing_in_two_earlier_studies(
    tmp_path: Path, noises: tuple[float | None, ...], settings: dict[str, object], kept: int
) -> None:
    for seed, _ in enumerate(noises):
        write_study(tmp_path, f"room{seed}", seed=seed)
    request = REQUEST.with_settings(trials=24, **settings)
    studies = make_plan(request, RunLocation(results=tmp_path)).earlier
    known = {study.name: noise for study, noise in zip(studies, noises, strict=True)}

    def load(paths: StudyPaths, *, is_named: bool) -> Source:
        history = read_history(paths.root)
        found = known.get(history.name)
        unit = unit_of([trial.value for trial in history.trials if trial.value is not None])
        gain = None if found is None else found * unit * math.sqrt(2.0)
        again = history if gain is None else with_replicates(history, (3, gain), (4, gain))
        return Source(history, lambda: again, is_named=is_named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("automl.earlier_studies._of_directory", load)
        plan = make_plan(request, RunLocation(results=tmp_path))

    assert (plan.race, plan.budget.trials, most_replicates(plan)) == (kept > 0, 24 - kept, kept)
    assert [study.noise for study in plan.earlier] == pytest.approx(list(noises))
    assert any("kept for a race" in reason for reason in plan.reasons) is (kept > 0)
    assert any("lie apart by at most 2 %" in reason for reason in plan.reasons) is (kept == 0)


def test_a_trial_that_was_stopped_counts_with_what_it_would_have_reached(tmp_path: Path) -> None:
    write_study(tmp_path, "stopped", seed=1, trials=6)
    plan = make_plan(REQUEST, RunLocation(results=tmp_path / "none"))
    for number, curve in enumerate([((0, 0.2), (1, 0.8))] * 5 + [((0, 0.3),)]):
        ended = TrialResult(
            number=number,
            state=TrialState.COMPLETED if len(curve) > 1 else TrialState.STOPPED,
            assignment=plan.space.default_assignment(),
            values={plan.objective.metric: curve[-1][1]},
            curve=curve,
            directory=f"trials/{number:04d}",
        )
        write_result(StudyPaths(tmp_path / "stopped"), ended)

    history = read_history(tmp_path / "stopped")

    assert history.trials[-1].value == 0.3
    kept = observed(plan, history)
    assert kept is not None
    assert [trial.value for trial in kept.trials] == pytest.approx([0.8] * 6)


def test_one_study_gives_starting_points_as_do_studies_of_few_trials(tmp_path: Path) -> None:
    write_study(tmp_path, "one", seed=1)
    write_study(tmp_path, "short", seed=2, trials=4)

    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    assert plan.earlier == ()
    assert plan.first_origins[1].study is not None


@pytest.mark.parametrize("change", [{"warm_start": ()}, {"sampler": "tpe"}, {"policy": "off"}])
def test_nothing_is_kept_where_it_is_switched_off_or_not_used(tmp_path: Path, change: dict[str, object]) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)

    assert make_plan(REQUEST.with_settings(**change), RunLocation(results=tmp_path)).earlier == ()


def test_a_parameter_that_was_not_searched_counts_with_its_value_and_a_trial_out_of_range_does_not(
    tmp_path: Path,
) -> None:
    fixed, *_ = make_plan(REQUEST, RunLocation(results=tmp_path / "none")).space.paths
    value = make_plan(REQUEST, RunLocation(results=tmp_path / "none")).first_trials[0][fixed]
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed, overrides={fixed: value})

    kept = make_plan(REQUEST, RunLocation(results=tmp_path)).earlier
    assert {trial.assignment[fixed] for study in kept for trial in study.trials} == {value}


def test_a_parameter_that_does_not_act_leaves_no_trial_out(tmp_path: Path) -> None:
    write_study(tmp_path, "room", seed=1)
    history = read_history(tmp_path / "room")
    scheduler = "train.optim.lr_scheduler"
    search = (f"{scheduler}={{constant,cosine}}", f"train.optim.momentum=0.5..0.99 when {scheduler}=cosine")
    plan = make_plan(REQUEST.with_settings(search=search), RunLocation(results=tmp_path / "none"))
    fixed = {**history.fixed, "train.optim.momentum": 0.0}
    constant, cosine = (
        replace(history, trials=tuple(replace(t, assignment={scheduler: name}) for t in history.trials), fixed=fixed)
        for name in ("constant", "cosine")
    )

    kept = observed(plan, constant)

    assert kept is not None
    assert [set(trial.assignment) for trial in kept.trials] == [{scheduler}] * 8
    assert observed(plan, cosine) is None


def test_a_stored_plan_holds_the_observations_when_their_studies_are_gone(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)
    plan = make_plan(REQUEST, RunLocation(results=tmp_path))
    directory = StudyPaths(tmp_path / "new")
    directory.root.mkdir()
    write_plan(directory, plan, REQUEST, RECORD, tmp_path)
    for seed in (1, 2):
        shutil.rmtree(tmp_path / f"room{seed}")

    assert read_plan(directory).earlier == plan.earlier
    # A repetition of the study learns from the same.
    assert make_plan(REQUEST, RunLocation(results=tmp_path)).earlier == plan.earlier


def proposals_of(plan: StudyPlan) -> list[dict[str, object]]:
    searcher = make_searcher(plan)
    asked = [searcher.ask() for _ in range(3)]
    return [dict(proposal.assignment) for proposal in asked if proposal is not None]


def test_studies_of_an_exported_file_give_the_proposals_of_their_directories_to_the_bit(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        write_study(tmp_path / "here", f"room{seed}", seed=seed)
    file = tmp_path / "rooms.json"
    write_histories(file, [shared_history(tmp_path / "here" / f"room{seed}") for seed in (3, 1, 2)])

    known = make_plan(REQUEST, RunLocation(results=tmp_path / "here"))
    shared = make_plan(REQUEST.with_settings(studies=(str(file),)), RunLocation(results=tmp_path / "none"))

    assert shared.earlier == tuple(replace(study, data="") for study in known.earlier)
    assert len(shared.earlier) == 3
    assert proposals_of(shared) == proposals_of(known)


def test_a_study_in_several_places_counts_once(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)
    shutil.copytree(tmp_path / "room1", tmp_path / "more" / "copy")
    write_histories(tmp_path / "more" / "room2.json", [shared_history(tmp_path / "room2", "another name")])

    plan = make_plan(REQUEST.with_settings(studies=(str(tmp_path / "more"),)), RunLocation(results=tmp_path))

    assert len(plan.earlier) == 2


def test_studies_of_one_name_and_plan_in_two_places_are_two(tmp_path: Path) -> None:
    write_study(tmp_path / "A", "room", seed=1)
    write_study(tmp_path / "B", "room", seed=1, trials=9)  # as from a trainer that is noisy
    places = (str(tmp_path / "A"), str(tmp_path / "B"))

    plan = make_plan(REQUEST.with_settings(studies=places), RunLocation(results=tmp_path / "C"))

    assert [study.name for study in plan.earlier] == ["room", "room in A"]  # the newest first
    assert sorted(len(study.trials) for study in plan.earlier) == [8, 9]


def test_studies_that_do_not_compare_are_named_with_the_reason(tmp_path: Path) -> None:
    write_study(tmp_path, "good1", seed=1)
    write_study(tmp_path, "good2", seed=2)
    write_study(tmp_path, "turned", seed=3, direction="minimize", metric="val/r2")
    write_study(tmp_path, "loss", seed=4, metric="val/loss", direction="minimize")
    write_study(tmp_path, "scored", seed=5, evaluate_with="score {checkpoint}")
    write_study(tmp_path, "short", seed=6, trials=3)

    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    assert [study.name for study in plan.earlier] == ["good1", "good2"]
    sentence = plan.reasons[-1]
    assert sentence.startswith("earlier studies that are not used: ")
    for reason in (
        "turned (there val/r2 was to minimize)",
        "loss (it measured val/loss)",
        "scored (its trials were evaluated by another command)",
        "short (fewer than 5 of its trials have a value in these ranges)",
    ):
        assert reason in sentence


def test_a_comparable_study_that_gives_neither_observations_nor_points_is_named_too(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)
    few = "fewer than 5 of its trials have a value in these ranges"
    other = REQUEST.with_settings(search=("train.optim.lr=0.9..1",), constraints=("val/loss <= 1",))

    for request, reason in ((other.with_settings(constraints=()), few), (other, "it searched other parameters")):
        plan = make_plan(request, RunLocation(results=tmp_path))

        assert plan.reasons[-1] == f"earlier studies that are not used: room2 ({reason}), room1 ({reason})"


def test_without_earlier_studies_the_plan_says_that_they_are_switched_off(tmp_path: Path) -> None:
    plan = make_plan(REQUEST.with_settings(warm_start=()), RunLocation(results=tmp_path))

    assert plan.reasons[-1] == "it takes nothing from earlier studies (--no-warm-start)"


def test_every_named_place_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text('{"automl_history": 1', encoding="utf-8")
    (tmp_path / "empty").mkdir()
    places = tuple(str(tmp_path / name) for name in ("torn.json", "empty", "nowhere"))

    with pytest.raises(ConfigurationError) as caught:
        make_plan(REQUEST.with_settings(studies=places), RunLocation(results=tmp_path))

    assert [problem.where for problem in caught.value.problems] == [f"--studies {place}" for place in places]


def test_a_study_of_a_named_folder_that_cannot_be_read_is_named_beside_the_others(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        write_study(tmp_path / "team", f"room{seed}", seed=seed)
    (tmp_path / "team" / "room3" / "plan.json").write_text("{", encoding="utf-8")

    plan = make_plan(REQUEST.with_settings(studies=(str(tmp_path / "team"),)), RunLocation(results=tmp_path / "none"))

    assert [study.name for study in plan.earlier] == ["room1", "room2"]
    assert plan.reasons[-1].startswith("earlier studies that are not used: room3 (it cannot be read: ")


def test_trials_out_of_ranges_that_have_changed_are_left_out(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)
    path = "train.optim.lr"

    narrow = make_plan(REQUEST.with_settings(search=(f"{path}=0.001..0.1:log",)), RunLocation(results=tmp_path))

    kept = [trial.assignment[path] for study in narrow.earlier for trial in study.trials]
    assert len(kept) < 16
    assert all(isinstance(value, float) and 0.001 <= value <= 0.1 for value in kept)


def test_a_parameter_that_has_become_a_choice_keeps_the_trials_with_one_of_its_values(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)
    plan = make_plan(REQUEST, RunLocation(results=tmp_path))
    path = plan.space.paths[0]
    values = sorted({trial.assignment[path] for trial in plan.earlier[0].trials})  # type: ignore[type-var] # numbers
    chosen = f"{path}={{{values[0]},{values[1]}}}"

    as_choice = make_plan(REQUEST.with_settings(search=(chosen,)), RunLocation(results=tmp_path))

    assert as_choice.earlier == ()  # two trials of one study are too few
    assert "fewer than" in as_choice.reasons[-1]


def test_two_studies_that_run_at_once_do_not_use_each_other(tmp_path: Path) -> None:
    write_study(tmp_path, "ended", seed=1)
    for seed in (2, 3):
        write_study(tmp_path, f"running{seed}", seed=seed)
        running = TrialResult(number=8, state=TrialState.RUNNING, assignment={}, directory="trials/0008")
        write_result(StudyPaths(tmp_path / f"running{seed}"), running)

    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    assert plan.earlier == ()
    assert "running2 (it has not ended)" in plan.reasons[-1]
    assert "running3 (it has not ended)" in plan.reasons[-1]


def test_of_two_hundred_studies_fifteen_are_kept_the_rest_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path, "study", seed=1)
    history = read_history(tmp_path / "study")
    many = [replace(history, name=f"s{i:03d}", fingerprint=f"{i}", started_s=float(i)) for i in range(200)]
    loaded: list[str] = []

    def load(one: StudyHistory) -> StudyHistory:
        loaded.append(one.name)
        return one

    sources = [Source(one, partial(load, one), is_named=True) for one in many]
    monkeypatch.setattr("automl.earlier_studies._of_places", lambda *_: sources)

    plan = make_plan(REQUEST.with_settings(studies=("many",)), RunLocation(results=tmp_path / "none"))

    assert [study.name for study in plan.earlier] == [f"s{i:03d}" for i in range(185, 200)]
    assert len(loaded) == 15


def test_of_ten_thousand_trials_the_first_sixty_are_kept(tmp_path: Path) -> None:
    write_study(tmp_path, "study", seed=1)
    history = read_history(tmp_path / "study")
    first = history.trials[0]
    long = replace(history, trials=tuple(replace(first, number=i, value=i / 1e4) for i in range(10_000)))

    kept = observed(make_plan(REQUEST, RunLocation(results=tmp_path / "none")), long)

    assert kept is not None
    assert [trial.value for trial in kept.trials] == [i / 1e4 for i in range(60)]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_study_without_finite_values_is_not_kept(tmp_path: Path, value: float | None) -> None:
    write_study(tmp_path, "study", seed=1)
    history = read_history(tmp_path / "study")
    hopeless = replace(history, trials=tuple(replace(trial, value=value) for trial in history.trials))

    assert observed(make_plan(REQUEST, RunLocation(results=tmp_path / "none")), hopeless) is None


def test_a_linear_range_that_has_become_logarithmic_keeps_its_trials(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed, search=("train.optim.lr=0.001..0.1",))

    plan = make_plan(REQUEST.with_settings(search=("train.optim.lr=0.001..0.1:log",)), RunLocation(results=tmp_path))

    assert [len(study.trials) for study in plan.earlier] == [8, 8]


def test_studies_that_were_evaluated_with_other_figures_do_not_compare(tmp_path: Path) -> None:
    write_study(tmp_path, "room1", seed=1)
    history = read_history(tmp_path / "room1")
    plan = make_plan(REQUEST, RunLocation(results=tmp_path / "none"))
    spec = plan.spec.with_values({"val.crop_size": [70, 70], "val.workers": 8}, origin="test")
    other = replace(history, fixed={**history.fixed, "val.crop_size": [518, 518], "val.workers": 0})

    assert (
        why_not(other, replace(plan, spec=spec))
        == "it was evaluated with val.crop_size [518, 518], here it is [70, 70]"
    )
    assert not why_not(replace(other, fixed={**other.fixed, "val.crop_size": [70, 70]}), replace(plan, spec=spec))
