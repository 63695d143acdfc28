"""What the run of a study says of its plan: source, settings, data, notes, and what a repetition begins with."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from automl.spec.model import iterate_leaves
from automl.study.cost import ObjectivePer
from automl.tracking.mlflow.uploads import MAX_TAG_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.storage.plan_document import PlanDocument
    from automl.study.result import StudyResult

NOTE_TAG = "mlflow.note.content"
"""MLflow shows it as the description of a run, as Markdown."""
_DIGEST = re.compile(r"\w+:(?P<digest>[0-9a-f]{16,}) (?P<path>.+)", re.DOTALL)
_MAX_DIGEST_LENGTH = 36
_USES = {"val": "validation", "test": "testing"}


def source_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return MLflow's own tags about who ran what: shown as columns of its tables."""
    revision = environment.get("version.git.skill") or environment.get("version.git", "")
    facts = {
        "mlflow.source.name": "automl",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": revision.removesuffix("-dirty"),
        "mlflow.user": environment.get("user", ""),
    }
    return {name: text for name, text in facts.items() if text}


def settings_of(plan: PlanDocument) -> dict[str, object]:
    """Return what cannot change while a study goes on: its settings, then every value of its spec."""
    settings = {
        "automl.skill": plan.skill.name,
        "automl.network_arch": plan.skill.network_arch,
        "automl.route": plan.route,
        "automl.objective": ", ".join(f"{o.direction} {o.metric}" for o in plan.all_objectives),
        "automl.constraints": "; ".join(plan.constraints),
        "automl.sampler": plan.sampler,
        "automl.scheduler": plan.scheduler,
        "automl.seed": plan.seed,
        "automl.max_epochs": plan.max_epochs,
    }
    return {name: value for name, value in settings.items() if value not in {"", None}} | dict(
        iterate_leaves(plan.spec)
    )


def datasets_of(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the data of a study that have a digest: name, digest as long as MLflow takes it, path and use."""
    for name, text in environment.items():
        found = _DIGEST.fullmatch(text) if name.startswith("data.") else None
        if found is not None:
            path = Path(found["path"])
            uses = (use for word, use in _USES.items() if word in name.lower())
            yield {
                "name": f"{path.parent.name}/{path.name}".removeprefix("/"),
                "digest": found["digest"][:_MAX_DIGEST_LENGTH],
                "path": str(path),
                "context": next(uses, "training"),
            }


def started_note(plan: PlanDocument) -> str:
    """Return what a study is about, as Markdown."""
    searched = ", ".join(f"`{parameter.path}`" for parameter in plan.space.parameters) or "nothing: it trains once"
    objectives = ", ".join(f"{o.direction} {o.metric}" for o in plan.all_objectives)
    return f"**{plan.skill.name}**, {objectives}. Not ended yet.\n\nSearches {searched}."


def ended_note(result: StudyResult, reason: str) -> str:
    """Return the summary of a study as Markdown."""
    states = Counter(trial.state.lower() for trial in result.trials)
    counts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    objective, best = result.objective, result.best
    lines = [f"{reason or 'It has ended'}. Trials: {counts}."]
    if best is None:
        return f"No trial has a usable value of {objective.metric}. {lines[0]}"
    epoch = f" at {best.best_at}" if best.best_at else ""
    lines.insert(0, f"**Trial {best.number}: {objective.metric} {best.values[objective.metric]:.6g}**{epoch}.")
    if best.assignment:
        rows = [f"| `{path}` | {value} |" for path, value in best.assignment.items()]
        lines.append("\n".join(["| parameter | best value |", "|---|---|", *rows]))
    return "\n\n".join(lines)


def optional_facts(plan: PlanDocument) -> dict[str, str]:
    """Return what describes several objectives, constraints, their command and first points; nothing for a plain study.

    A repetition begins with the same points of earlier studies.
    """
    objectives = [f"{o.metric}:{o.direction}" for o in plan.objectives]
    known = zip(plan.first_trials[1:], plan.origins[1:], strict=False)
    points = [{"assignment": dict(a), "origin": str(origin), "origin_data": origin.document()} for a, origin in known]
    text = json.dumps(points) if points else ""
    by_id = json.dumps({study.study_id or study.name: study.name for study in plan.earlier}) if plan.earlier else ""
    facts = {
        "automl.objectives": ", ".join(objectives) if len(objectives) > 1 else "",
        "automl.constraints": "; ".join(plan.constraints),
        "automl.evaluate_with": plan.evaluate_with or "",
        "automl.objective_per": plan.weighed_by.value if plan.weighed_by is not ObjectivePer.TRIAL else "",
        "automl.earlier_studies": ", ".join(study.name for study in plan.earlier)[:MAX_TAG_LENGTH],
        "automl.earlier_ids": by_id if len(by_id) <= MAX_TAG_LENGTH else "",
        "automl.first_points": text if len(text) <= MAX_TAG_LENGTH else "",
    }
    return {name: value for name, value in facts.items() if value}
