"""What an earlier study measured: as its source has it, and as a study that begins keeps it in its plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.space.document import PlannedParameter
from automl.space.values import Scalar
from automl.study.objectives import Direction
from automl.study.trial import TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierTrial:
    """One trial of an earlier study.

    Attributes:
        assignment: In the parameters of the study that begins; one that was not searched there has its value there.
        value: Of the objective; of a stopped trial what it would have reached; None where it diverged.
        state: COMPLETED, STOPPED or DIVERGED.
    """

    assignment: Mapping[str, Scalar]
    value: float | None
    state: TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierStudy:
    """An earlier study of the same skill and objective.

    Attributes:
        name: Of the study; no two of a plan have the same.
        data: Name of its data, where it is known.
        trials: Those that say something about an assignment, in order of their numbers.
        noise: Standard deviation of one training by its seed, as a share of the spread between good trials; None where
            too few were trained again.
        study_id: Its own id, where it has been recorded.
    """

    name: str
    trials: tuple[EarlierTrial, ...]
    data: str = ""
    noise: float | None = None
    study_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How alike an earlier study and the one that runs have turned out so far.

    Attributes:
        correlation: Of the two, as it is fitted, 0 to 1; None where the values of the earlier one follow no pattern.
        pairs: Pairs of trials here with different values.
        alike: Those of them that the earlier study ranks as they came out.
    """

    correlation: float | None
    pairs: int = 0
    alike: int = 0

    def __str__(self) -> str:
        """Return it in words, with its numbers."""
        if self.correlation is None:
            return "its values follow no pattern: not used"
        ranked = f"; it ranks {self.alike} of {self.pairs} pairs of trials as here" if self.pairs else ""
        return f"correlation {self.correlation:.2f}{ranked}"


def agreement_rows(
    earlier: Iterable[EarlierStudy], found: Mapping[str, Agreement] | None
) -> Iterator[tuple[EarlierStudy, str]]:
    """Yield each study that a plan learns from, and how alike it is; None before a trial of this one has ended."""
    for study in earlier:
        if found is None:
            text = "nothing to compare yet"
        else:
            text = str(found.get(study.name, "not used: the first values here contradict it"))
        yield study, text


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTrial:
    """One trial as it is recorded.

    Attributes:
        number: Its number.
        state: COMPLETED, STOPPED or DIVERGED.
        assignment: In the parameters that were searched.
        value: Of the primary objective, as measured; None where it diverged.
        expected: What a stopped trial would have reached; None for others, and where its curve is not known.
        elapsed_s: Seconds that it took.
        replicate_of: Number of the trial that it repeats with another seed; None for a trial of the search.
        misses_constraint: It does not keep a constraint of its study.
    """

    number: int
    state: TrialState
    assignment: Mapping[str, Scalar]
    value: float | None = None
    expected: float | None = None
    elapsed_s: float = 0.0
    replicate_of: int | None = None
    misses_constraint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyHistory:
    """What a study says to later ones, wherever it is recorded: everything but its data and its files.

    Attributes:
        name: Of the study.
        fingerprint: Of its plan.
        skill: Name of the skill.
        network_arch: Of the skill.
        skill_files: Name of each file of the skill -> its SHA-256.
        metric: The primary objective.
        direction: Of the primary objective.
        evaluated_with: SHA-256 of the command of ``evaluate_with``; empty for none.
        parameters: What was searched.
        fixed: Parameter path -> value in the spec, where a trial has no other.
        max_epochs: Epochs of a full trial, where known.
        started_s: When it began, Unix time.
        data: Name of its data, where it is known.
        is_ended: Every trial has ended.
        trials: Those that completed, were stopped or diverged, in order of their numbers.
    """

    name: str
    fingerprint: str
    skill: str
    network_arch: str
    skill_files: Mapping[str, str] = field(default_factory=dict)
    metric: str
    direction: Direction
    evaluated_with: str = ""
    parameters: tuple[PlannedParameter, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    max_epochs: int | None = None
    started_s: float = 0.0
    data: str = ""
    is_ended: bool = True
    trials: tuple[RecordedTrial, ...]

    def is_same(self, other: StudyHistory) -> bool:
        """Tell whether another source speaks of this study: the same plan, and the same name or the same values."""
        if self.fingerprint != other.fingerprint:
            return False
        values = {trial.number: trial.value for trial in self.trials}
        others = {trial.number: trial.value for trial in other.trials}
        shared = values.keys() & others.keys()
        has_same_values = bool(shared) and all(values[number] == others[number] for number in shared)
        return has_same_values or (self.name == other.name and not (self.trials and other.trials))
