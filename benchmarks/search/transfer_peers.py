"""Syne Tune's transfer methods on the earlier studies that ours gets; its RUSH is named there and not implemented."""

from __future__ import annotations

import contextlib
import io
import random
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.search.method import Method
from benchmarks.search.peers import domain_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.space.search_space import SearchSpace
    from automl.study.earlier import EarlierStudy

KINDS = ("zero-shot", "bounding box", "quantile")


class SyneTransfer(Method):
    """A transfer method of Syne Tune with its defaults; a bounding box is searched at random.

    Args:
        kind: One of `KINDS`.
        space: What is searched.
        seed: Of the method.
        studies: The earlier ones; larger values are better.
    """

    def __init__(self, kind: str, space: SearchSpace, seed: int, studies: Sequence[EarlierStudy]) -> None:
        # Its random configurations come from the global generators.
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - see above
        self._kind = kind
        self._config = {p.path: domain_of(p) for p in space.parameters}
        with contextlib.redirect_stdout(io.StringIO()):
            self._method = self._made(seed, {study.name: self._evaluations(study) for study in studies})

    def _evaluations(self, study: EarlierStudy) -> Any:  # noqa: ANN401 - Syne Tune's
        import pandas as pd  # noqa: PLC0415 - only where it is compared
        from syne_tune.optimizer.schedulers.transfer_learning import (  # noqa: PLC0415 - see above
            transfer_learning_task_evaluation as evaluation,
        )

        return evaluation.TransferLearningTaskEvaluations(
            configuration_space=self._config,
            hyperparameters=pd.DataFrame([dict(trial.assignment) for trial in study.trials]),
            objectives_names=["loss"],
            objectives_evaluations=np.array([-(trial.value or 0.0) for trial in study.trials]).reshape(-1, 1, 1, 1),
        )

    def _made(self, seed: int, found: dict[str, Any]) -> Any:  # noqa: ANN401 - Syne Tune's
        from syne_tune.optimizer.baselines import RandomSearch  # noqa: PLC0415 - only where it is compared
        from syne_tune.optimizer.schedulers.transfer_learning.bounding_box import BoundingBox  # noqa: PLC0415
        from syne_tune.optimizer.schedulers.transfer_learning.quantile_based import (  # noqa: PLC0415
            quantile_based_searcher as quantile,
        )
        from syne_tune.optimizer.schedulers.transfer_learning.zero_shot import ZeroShotTransfer  # noqa: PLC0415

        if self._kind == "quantile":
            return quantile.QuantileBasedSurrogateSearcher(self._config, found, random_seed=seed)
        if self._kind == "zero-shot":
            # Version 0.16.0 reads its generator before it makes one.
            whole = type("ZeroShot", (ZeroShotTransfer,), {"random_state": np.random.RandomState(seed)})
            return whole(self._config, "loss", found, use_surrogates=True, random_seed=seed)

        def in_box(config: dict[str, Any], metric: str, is_minimised: bool, seed: int) -> Any:  # noqa: ANN401, FBT001
            return RandomSearch(config, [metric], do_minimize=is_minimised, random_seed=seed)

        return BoundingBox(in_box, self._config, "loss", found, random_seed=seed)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return its next suggestion."""
        if self._kind == "zero-shot":
            config = self._method.get_config()
        else:
            suggested = self._method.suggest()
            config = suggested if self._kind == "quantile" else suggested.config
        return None, {name: value.item() if hasattr(value, "item") else value for name, value in config.items()}

    def tell(self, handle: Any, value: float | None, *, is_stopped: bool = False) -> None:  # noqa: ANN401
        """Do nothing: none of the three learns from the study that runs."""
