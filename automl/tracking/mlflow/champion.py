"""Which version of a registered model the alias `champion` names: the best one on the same evaluation data.

A version is decided on once, when it is registered, and a tag says why. What a person does with the alias afterwards
stays. MLflow itself knows the newest version as ``latest``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.study.objectives import Direction
from automl.tracking.mlflow.environment import QUIET_ENVIRONMENT
from automl.tracking.mlflow.failures import explain
from automl.tracking.mlflow.uri import store_address, without_password

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
STUDY_ID = "automl.study_id"
_DECISION = "automl.champion"
"""Tag of a version: whether it became the champion, and why."""


def registered_name(name: str) -> str:
    """Return a name of a model as MLflow takes it."""
    return re.sub(r"[/:]", "_", name)


def decide_champion(client: MlflowClient, name: str, version: str) -> str:
    """Move the alias to a version if it is better than the champion, unless that was decided before.

    MLflow compares nothing while it moves an alias, so of studies that decide at the same time the last one looks
    again, at what was decided meanwhile.

    Returns:
        What was decided: ``champion: ...``, or ``not the champion: ...``.
    """
    tags = client.get_model_version(name, version).tags
    if _DECISION in tags:
        return str(tags[_DECISION])
    before = {found.version for found in _decided(client, name)}
    champion = _champion(client, name)
    reason = None
    if champion is None or str(champion.version) == version:
        decision = "champion: there was none"
    elif (reason := why_not(tags, champion.tags)) is None:  # both have a value
        decision = f"champion in place of version {champion.version}: {_change(champion.tags, tags)}"
    else:
        decision = f"not the champion, which is version {champion.version}: {reason}"
    if reason is not None:
        return _note(client, name, version, decision)
    client.set_registered_model_alias(name, CHAMPION, version)
    _note(client, name, version, decision)
    rivals = [found for found in _decided(client, name) if found.version not in before and found.version != version]
    best = client.get_model_version(name, version)
    for rival in rivals:
        best = rival if why_not(rival.tags, best.tags) is None else best
    if rivals:
        client.set_registered_model_alias(name, CHAMPION, best.version)
    if str(best.version) == version:
        return decision
    meanwhile = f"not the champion, which has become version {best.version} meanwhile: {_change(tags, best.tags)}"
    return _note(client, name, version, meanwhile)


def _decided(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Return the versions that have become the champion, now or earlier."""
    found = client.search_model_versions(f"name = '{name}'")
    return [one for one in found if str(one.tags.get(_DECISION, "")).startswith("champion")]


def _change(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    values = [f"{float(tags['automl.value']):.6g}" for tags in (before, now)]
    return f"{now['automl.metric']} {' -> '.join(values)}"


def _note(client: MlflowClient, name: str, version: str, decision: str) -> str:
    """Note a decision where people see it; return it."""
    study = client.get_model_version(name, version).tags.get("automl.study", "")
    client.set_model_version_tag(name, version, _DECISION, decision)
    client.update_model_version(name, version, f"Of the study {study}: {decision}")
    return decision


def why_not(new: Mapping[str, str], champion: Mapping[str, str]) -> str | None:
    """Return why a version does not replace the champion, by the tags of both; None where it is better."""
    for tag, what in (("automl.metric", "objective"), ("automl.direction", "direction")):
        if new.get(tag) != champion.get(tag):
            return f"its {what} is {new.get(tag)}, that of the champion {champion.get(tag)}"
    data = "automl.evaluation_data"
    if data not in champion or new.get(data) != champion[data]:
        found, other = new.get(data) or "no data that are known", champion.get(data, "data that it does not name")
        return f"it was evaluated on {found}, the champion on {other or 'no data that are known'}"
    try:
        value, best = float(new["automl.value"]), float(champion["automl.value"])
    except (KeyError, ValueError):
        return "one of the two has no value"
    is_better = Direction(new["automl.direction"]).is_better(value, best)
    return None if is_better else f"{new['automl.metric']} {value:.6g} is not better than {best:.6g}"


def promote(tracking_uri: str, name: str, study_id: str) -> tuple[str, str]:
    """Move the alias to the newest version that a study has registered.

    Returns:
        What was done, as a sentence; and which version it is and why it is the champion, as `registry.register` does.

    Raises:
        LaunchError: the study has no version there, or the server does not do it.
    """
    os.environ.update({key: value for key, value in QUIET_ENVIRONMENT.items() if key not in os.environ})
    from mlflow import MlflowClient  # noqa: PLC0415 # 3 s
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    name, where = registered_name(name), without_password(tracking_uri)
    try:
        address = store_address(tracking_uri)
        client = MlflowClient(tracking_uri=address, registry_uri=address)
        found = client.search_model_versions(f"name = '{name}' AND tags.`{STUDY_ID}` = '{study_id}'")
        if not found:
            raise LaunchError(f"{where}: no version of the model {name} is of this study; it has no best checkpoint")
        version, before = str(max(int(one.version) for one in found)), _champion(client, name)
        client.set_registered_model_alias(name, CHAMPION, version)
        replaced = "there was none" if before is None else f"it was version {before.version}"
        decision = f"champion by `automl promote`: {replaced}"
        client.set_model_version_tag(name, version, _DECISION, decision)
    except MlflowException as error:
        raise LaunchError(f"{where}: {explain(error)}") from error
    return f"models:/{name}@{CHAMPION} is version {version}; {replaced}", f"{name} version {version}, {decision}"


def _champion(client: MlflowClient, name: str) -> ModelVersion | None:
    alias = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if alias is None else client.get_model_version(name, str(alias))
