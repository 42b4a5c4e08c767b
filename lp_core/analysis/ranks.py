"""How well one quantity tells the order of another: Spearman's rank correlation, with an interval
over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DRAWS = 2000
_LEAST = 3  # pairs; two of them are always in order or in reverse


@dataclass(frozen=True)
class RankCorrelation:
    """rho: −1 … 1, NaN where there is none. low, high: the bootstrap's quantiles of 2.5% and 97.5%;
    NaN of one seed."""

    rho: float
    low: float
    high: float


def rank_correlation(
    values: Sequence[float], gains: Sequence[float], seeds: Sequence[int]
) -> RankCorrelation:
    """Spearman's correlation of `values` and `gains`, which belong to the runs `seeds`.

    Pairs with a NaN are left out. There is no correlation where fewer than three pairs are left, or
    where all values or all gains are the same.

    What one seed has trained hangs together, so the bootstrap draws whole seeds, with replacement.
    Its draws are fixed: equal arguments give equal intervals. Raises ValueError where the three are
    not of one length.
    """
    pairs = np.array([*zip(values, gains, strict=True)], dtype=np.float64).reshape(-1, 2)
    of_seed = np.array(seeds, dtype=np.int64)
    if len(of_seed) != len(pairs):
        raise ValueError(f"{len(pairs)} pairs, but {len(of_seed)} seeds")
    known = ~np.isnan(pairs).any(1)
    pairs, of_seed = pairs[known], of_seed[known]
    groups = [pairs[of_seed == seed] for seed in np.unique(of_seed)]
    rho = _spearman(pairs)
    if len(groups) < 2:
        return RankCorrelation(rho, math.nan, math.nan)
    draws = np.random.default_rng(0).integers(len(groups), size=(_DRAWS, len(groups)))
    # The order of a draw does not matter: of few seeds there are few draws that differ.
    distinct, counts = np.unique(np.sort(draws), axis=0, return_counts=True)
    drawn = np.array([_spearman(np.concatenate([groups[i] for i in draw])) for draw in distinct])
    every = np.repeat(drawn, counts)
    every = every[~np.isnan(every)]
    if not len(every):
        return RankCorrelation(rho, math.nan, math.nan)
    low, high = np.quantile(every, [0.025, 0.975]).tolist()
    return RankCorrelation(rho, low, high)


def _spearman(pairs: NDArray[np.float64]) -> float:
    """Pearson's correlation of the ranks of N×2 values."""
    if len(pairs) < _LEAST:
        return math.nan
    a, b = (_ranks(column) for column in pairs.T)
    a, b = a - a.mean(), b - b.mean()
    spread = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / spread if spread else math.nan


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
