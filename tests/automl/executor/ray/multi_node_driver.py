"""A process that runs trials over two nodes of a fake cluster: folder and modes are its arguments."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))

from ray.cluster_utils import Cluster

from automl.executor.ray.study import execute_study
from automl.study.model import Resources, StudyLocation
from tests.automl.executor.toy_study import ListSearcher, ThresholdRule, toy_plan


def start_cluster(attempts: int = 3) -> Cluster:
    """Start a head without CPUs and two nodes with one each; again where a busy machine was too slow for Ray."""
    for attempt in range(1, attempts + 1):
        cluster = Cluster()
        try:
            cluster.add_node(num_cpus=0, include_dashboard=False)
            for _ in range(2):
                cluster.add_node(num_cpus=1)
            cluster.wait_for_nodes(timeout=60)
        except Exception as error:
            # The bare class is what Ray raises for a node that comes too late.
            if type(error) not in {Exception, RuntimeError, TimeoutError} or attempt == attempts:
                raise
            sys.stderr.write(f"the fake cluster did not start in time ({error}); it is started again\n")
            cluster.shutdown()  # type: ignore[no-untyped-call] # Ray's
        else:
            return cluster
    raise ValueError(attempts)


def main() -> None:
    """Run the study on two nodes."""
    root, modes = Path(sys.argv[1]), sys.argv[2:]
    cluster = start_cluster()
    plan = replace(
        toy_plan(root / "skill", trials=len(modes)), resources=Resources(jobs=1, cpus_per_trial=1, nodes_per_trial=2)
    )
    searcher = ListSearcher([{"mode": mode, "quality": 0.5} for mode in modes])
    location = StudyLocation(directory=root / "study", tracking_uri="", ray_address=cluster.address)
    study = threading.Thread(
        target=execute_study,
        args=(plan, location),
        kwargs={"searcher": searcher, "scheduler": ThresholdRule()},
    )
    study.start()
    if "hang_first" in modes:
        lose_a_node(cluster, root / "study/trials/0000/status.json")
    study.join()
    cluster.shutdown()  # type: ignore[no-untyped-call] # Ray's


def lose_a_node(cluster: Cluster, reported: Path) -> None:
    """Once a trial runs, end one of its nodes without a word and give the cluster another one."""
    while not reported.exists():
        time.sleep(0.05)
    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)  # type: ignore[no-untyped-call] # Ray's
    cluster.add_node(num_cpus=1)


if __name__ == "__main__":
    main()
