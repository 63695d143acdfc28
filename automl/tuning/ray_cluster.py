"""Ask the nodes of a Ray cluster something, and wait for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from automl.errors import LaunchError
from automl.tuning.ray_session import joined

if TYPE_CHECKING:
    from collections.abc import Callable

Question = TypeVar("Question")
Answer = TypeVar("Answer")

_ANSWER_LIMIT_S = 8.0
_POLL_S = 1.0


def ask_nodes(
    address: str, function: Callable[[Question], Answer], question: Question, *, most: int = 16
) -> dict[str, Answer | str]:
    """Call a function on one node of each kind of node, all at once.

    Nodes with the same resources are of one kind. A node that does not answer gives the reason as text.

    Args:
        address: Of the cluster.
        function: Importable where the nodes run; so is what it returns.
        question: Its argument.
        most: Ask no more nodes than that.

    Raises:
        LaunchError: the cluster does not answer.
    """
    with joined(address):
        import ray  # noqa: PLC0415 # after the session has set its environment
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

        task: Any = ray.remote(_call)
        asked = {}
        for node in list(_kinds().values())[:most]:
            strategy = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
            asked[_name(node)] = task.options(num_cpus=0, scheduling_strategy=strategy).remote(function, question)
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=_ANSWER_LIMIT_S)
        return {name: _answer(future) for name, future in asked.items()}


def nodes_of(address: str) -> list[dict[str, float]]:
    """Return what each living node of a cluster offers, by Ray's names.

    Raises:
        LaunchError: the cluster does not answer.
    """
    with joined(address):
        return [dict(node["Resources"]) for node in _alive()]


def wait_for_nodes(address: str, count: int, *, limit_s: float = 300.0) -> None:
    """Return once a cluster has so many nodes.

    Raises:
        LaunchError: it does not answer, or has not so many in time.
    """
    ends_s = time.monotonic() + limit_s
    with joined(address):
        while (alive := len(_alive())) < count:
            if time.monotonic() > ends_s:
                raise LaunchError(f"{alive} of {count} nodes have joined the Ray cluster at {address} in {limit_s:g} s")
            time.sleep(_POLL_S)


def _call(function: Callable[[Question], Answer], question: Question) -> Answer:
    """Run on a node; Ray takes no built-in function for a task."""
    return function(question)


def _alive() -> list[dict[str, Any]]:
    import ray  # noqa: PLC0415 # after the session has set its environment

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call] # Ray's
    return [node for node in nodes if node["Alive"]]


def _kinds() -> dict[tuple[object, ...], dict[str, Any]]:
    """Return one living node of each kind: memory differs a little among equal nodes and does not count."""
    kinds: dict[tuple[object, ...], dict[str, Any]] = {}
    for node in _alive():
        offers = node["Resources"]
        kind = tuple(sorted((name, amount) for name, amount in offers.items() if _tells_kinds_apart(name)))
        kinds.setdefault(kind, node)
    return kinds


def _tells_kinds_apart(resource: str) -> bool:
    return not resource.startswith("node:") and resource not in {"memory", "object_store_memory"}


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}:{node['NodeManagerPort']})"


def _answer(future: Any) -> Any:  # noqa: ANN401 # Ray's
    import ray  # noqa: PLC0415 # after the session has set its environment

    try:
        return ray.get(future, timeout=0)
    except ray.exceptions.GetTimeoutError:
        return f"no answer within {_ANSWER_LIMIT_S:g} s"
    except ray.exceptions.RayError as error:
        return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
