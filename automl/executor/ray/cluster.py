"""Call a function on the nodes of a Ray cluster, list the nodes, and wait for them.

The list of nodes is one request to the head that takes a fraction of a second and also shows a wrong token. Joining the
cluster takes seconds, and with a wrong token Ray retries for 20 to 40 s. So the list is requested before joining.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from automl.errors import LaunchError
from automl.executor.ray.private_names import request_nodes, sends_token
from automl.executor.ray.session import joined, living_nodes, quiet_ray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Question = TypeVar("Question")
Answer = TypeVar("Answer")

_LEAST_LIMIT_S = 2.0
_HEAD_LIMIT_S = 5.0
_POLL_S = 1.0
_MOST_NODES = 64
_UNAUTHENTICATED = "refuses to answer: it needs a token and was given none"
_REFUSED = "refuses to answer: the token that it was given is not the cluster's"


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why a node has not answered.

    Attributes:
        reason: One sentence.
        is_late: It may still answer; no error is known.
    """

    reason: str
    is_late: bool = False


def ask_nodes(
    address: str, function: Callable[[Question], Answer], question: Question, *, limit_s: float = 10.0
) -> dict[str, Answer | NoAnswer]:
    """Call a function on every node, all at once; of a large cluster on 64, with one of each set of resources.

    ``function`` is importable where the nodes run, and so is what it returns. ``limit_s`` is for joining the cluster
    and for the answers together; a node has at least 2 s.

    Raises:
        LaunchError: the cluster does not answer or refuses the token.
    """
    ends_s = time.monotonic() + limit_s
    nodes_of(address)
    with joined(address):
        import ray  # noqa: PLC0415 # after the session has set its environment

        asked = call_nodes(_varied()[:_MOST_NODES], function, question)
        left_s = max(_LEAST_LIMIT_S, ends_s - time.monotonic())
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=left_s)
        return {name: _answer(future, left_s) for name, future in asked.items()}


def call_nodes(nodes: Sequence[dict[str, Any]], function: Callable[..., object], *arguments: object) -> dict[str, Any]:
    """Call a function on nodes of the cluster that is joined, all at once; return name of the node -> Ray's future."""
    import ray  # noqa: PLC0415 # after the session has set its environment
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    task: Any = ray.remote(_call)
    return {
        f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}:{node['NodeManagerPort']})": task.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
        ).remote(function, *arguments)
        for node in nodes
    }


def _call(function: Callable[..., object], *arguments: object) -> object:
    """Run on a node; Ray accepts no built-in function as a task."""
    return function(*arguments)


def nodes_of(address: str) -> list[dict[str, float]]:
    """Return the resources of each living node of a cluster, by Ray's names; the cluster is not joined.

    Raises:
        LaunchError: the head does not answer or refuses the token.
    """
    with quiet_ray():
        import grpc  # type: ignore[import-untyped] # noqa: PLC0415 # Ray's own requirement
        import ray  # noqa: PLC0415 # after its environment is set

        try:
            return request_nodes(address, _HEAD_LIMIT_S)
        except ray.exceptions.AuthenticationError as error:
            cause: Exception = error
            said = _UNAUTHENTICATED
        except grpc.RpcError as error:
            cause, said = error, f"does not answer: {error.details() or error.code().name}"
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                said = _REFUSED if sends_token() else _UNAUTHENTICATED
        except (ConnectionError, RuntimeError, ValueError) as error:
            cause, said = error, f"does not answer: {error}"
        raise LaunchError(f"the Ray cluster at {address} {said}") from cause


def wait_for_nodes(address: str, count: int, *, limit_s: float = 300.0) -> None:
    """Wait until a cluster has so many nodes.

    Raises:
        LaunchError: it does not answer, or has fewer at the end of the limit.
    """
    ends_s = time.monotonic() + limit_s
    with joined(address):
        while (alive := len(living_nodes())) < count:
            if time.monotonic() > ends_s:
                raise LaunchError(f"{alive} of {count} nodes have joined the Ray cluster at {address} in {limit_s:g} s")
            time.sleep(_POLL_S)


def _varied() -> list[dict[str, Any]]:
    """Return the living nodes, one of each kind first; memory varies among equal nodes and is ignored."""
    first: dict[frozenset[tuple[str, float]], dict[str, Any]] = {}
    others = []
    for node in living_nodes():
        kind = frozenset(
            (name, amount)
            for name, amount in node["Resources"].items()
            if not name.startswith("node:") and name not in {"memory", "object_store_memory"}
        )
        if first.setdefault(kind, node) is not node:
            others.append(node)
    return [*first.values(), *others]


def _answer(future: Any, waited_s: float) -> Any:  # noqa: ANN401 # Ray's
    import ray  # noqa: PLC0415 # after the session has set its environment

    try:
        return ray.get(future, timeout=0)
    except ray.exceptions.GetTimeoutError:
        return NoAnswer(f"no answer within {waited_s:.0f} s", is_late=True)
    except ray.exceptions.RayError as error:
        last = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        return NoAnswer(last)
