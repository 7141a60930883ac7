import math

import numpy as np
import pytest

from ondevice.evaluation.bootstrap import Bootstrap, BootstrapSettings, expanded_tail, jackknife


def test_the_value_is_the_ratio_of_sums() -> None:
    estimate = Bootstrap(["a", "b", "c"]).ratio([1, 2, 3], [10, 10, 20])
    assert estimate.value == pytest.approx(6 / 40)
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.n == 3


def test_nothing_and_one_cluster_prove_nothing() -> None:
    assert math.isnan(Bootstrap([]).mean([]).value)
    one = Bootstrap(["a", "a"]).mean([1.0, 2.0])
    assert (one.value, one.low, one.high, one.n) == (1.5, -math.inf, math.inf, 1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).normal(size=40)
    names = [str(i) for i in range(40)]
    first = Bootstrap(names).mean(values)
    assert first == Bootstrap(names).mean(values)
    assert first != Bootstrap(names, BootstrapSettings(seed=1)).mean(values)


@pytest.mark.parametrize("n", [12, 60])
def test_intervals_hold_the_truth_as_often_as_they_promise(n: int) -> None:
    rng = np.random.default_rng(0)
    names = [str(i) for i in range(n)]
    bootstrap = Bootstrap(names, BootstrapSettings(resamples=1000))
    held = 0
    for _ in range(400):
        estimate = bootstrap.mean(rng.normal(2.0, 1.0, n))
        held += estimate.low <= 2.0 <= estimate.high
    assert 0.92 <= held / 400 <= 0.98


def test_items_of_one_cluster_do_not_count_as_many() -> None:
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=12), 10)
    clustered = Bootstrap([str(i // 10) for i in range(120)]).mean(values)
    naive = Bootstrap([str(i) for i in range(120)]).mean(values)
    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)


def test_pairing_cancels_what_makes_items_hard() -> None:
    rng = np.random.default_rng(2)
    hard = rng.normal(4.0, 1.0, 40)
    better = hard - 0.05 + rng.normal(0, 0.02, 40)
    bootstrap = Bootstrap([str(i) for i in range(40)])
    assert bootstrap.mean(hard - better).low > 0
    assert bootstrap.mean(hard).low < bootstrap.mean(better).high


def test_the_tail_approaches_the_nominal_one() -> None:
    # t(0.975; 9) = 2.262157, so Phi(-sqrt(10 / 9) 2.262157) = 0.00855
    assert expanded_tail(0.95, 10) == pytest.approx(0.00855, abs=2e-5)
    assert expanded_tail(0.95, 100_000) == pytest.approx(0.025, abs=1e-5)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(4).normal(size=30)
    estimate = jackknife(lambda rows: float(values[rows].mean()), 30)
    error = values.std(ddof=1) / math.sqrt(30)
    assert estimate.high - estimate.value == pytest.approx(1.959964 * error, rel=1e-6)


def test_mapped_ends_stay_in_order() -> None:
    estimate = Bootstrap(["a", "b", "c"]).mean([1.0, 2.0, 4.0])
    assert (-estimate).low == -estimate.high
    assert estimate.mapped(math.exp).low == math.exp(estimate.low)


def test_one_value_an_item() -> None:
    with pytest.raises(ValueError, match="for 2 items"):
        Bootstrap(["a", "b"]).mean([1.0])
