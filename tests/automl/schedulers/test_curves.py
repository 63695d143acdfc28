"""How trials compare at an epoch, against the definition: the best value up to it of all that have come as far."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from automl.schedulers.curves import Curves

REPORTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 6).map(float)),
    unique_by=lambda report: report[:2],
    min_size=1,
    max_size=30,
)


def test_a_trial_has_no_best_value_at_an_epoch_it_has_not_reached() -> None:
    curves = Curves()
    curves.add(0, 0, 0.7)
    curves.add(0, 2, 0.5)

    assert curves.best_at(0, 1) == 0.7
    assert curves.best_at(0, 3) is None
    assert curves.peers_at(1, 2) == (1, 0.7)


@given(REPORTS, st.integers(0, 9))
def test_peers_are_compared_as_defined_whatever_the_order_of_reports(
    reports: list[tuple[int, int, float]], asked: int
) -> None:
    curves, known = Curves(), dict[int, dict[int, float]]()
    for trial, epoch, value in reports:
        curves.add(trial, epoch, value)
        known.setdefault(trial, {})[epoch] = value

        for at in {epoch, asked}:
            best = {t: [v for e, v in c.items() if e <= at] for t, c in known.items() if max(c) >= at}
            others = [max(values) for t, values in best.items() if t != trial and values]
            count, median = curves.peers_at(trial, at)
            assert count == len(others)
            assert not others or median == statistics.median(others)
        top = max(known[trial].values())
        assert curves.top_of(trial) == (top, min(e for e, v in known[trial].items() if v == top))
