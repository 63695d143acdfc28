"""A process that runs trials over two nodes of a fake cluster: folder and modes are its arguments."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from ray.cluster_utils import Cluster

from automl.study.model import Resources, StudyLocation
from automl.tuning.ray_study import execute_study
from tests.automl.tuning.toy_study import ListSearcher, ThresholdRule, toy_plan


def main() -> None:
    """Start a head without CPUs and two nodes with one each, and run the study on them."""
    root, modes = Path(sys.argv[1]), sys.argv[2:]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    plan = replace(
        toy_plan(root / "skill", trials=len(modes)), resources=Resources(jobs=1, cpus_per_trial=1, nodes_per_trial=2)
    )
    searcher = ListSearcher([{"mode": mode, "quality": 0.5} for mode in modes])
    location = StudyLocation(directory=root / "study", tracking_uri="", ray_address=cluster.address)
    execute_study(plan, location, searcher=searcher, rule=ThresholdRule(), launcher="local")
    cluster.shutdown()  # type: ignore[no-untyped-call] # Ray's


if __name__ == "__main__":
    main()
