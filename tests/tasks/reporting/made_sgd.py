"""A finished sgd-noise flow without training: its rows and its part of the params file.

Barriers are what `barrier` says, so that a test knows the effect of each setting.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np

Row = dict[str, Any]

RATES = {"kind": "cosine", "lr": 0.1}


@dataclass(frozen=True)
class MadeSgd:
    """What to make: a variant for each momentum, batch size and rewind epoch.

    effects: change of the barrier by factor, from its lowest value to the next. aimp: epochs of a
    shorter mask search, whose variants cross into the first one. lost: noise seeds of the first
    variant that diverged.
    """

    momenta: Sequence[float] = (0.0, 0.9)
    batches: Sequence[int] = (32, 128)
    rewinds: Sequence[int] = (0, 2)
    seeds: Sequence[int] = (0, 1)
    noise: Sequence[int] = (1, 2, 3)
    tickets: int = 6
    starts: Sequence[str] = ("rewind", "2", "5")
    epochs: int = 10
    effects: Mapping[str, float] = field(
        default_factory=lambda: {"momentum": 0.1, "batch_size": -0.05, "rewind": -0.2}
    )
    aimp: Sequence[int] = (3,)
    crossed: bool = True
    subsets: bool = True
    probed: Sequence[int] = (0, 3, 5)
    targets: Sequence[str] = ("mnist", "eurosat")
    percent: Sequence[int] = (1, 10)
    selections: Sequence[str] = ("least-forgotten",)
    stable: bool = True
    pooled: bool = True
    lost: Sequence[int] = ()

    @property
    def grid(self) -> dict[str, Row]:
        """Overlays by variant, the shorter searches last."""
        grid: dict[str, Row] = {
            f"mu{mu:g}-bs{bs}-{'rewind' + str(e) if e else 'init'}": {
                "train": {"momentum": mu, "batch_size": bs},
                "rewind": {"epochs": e},
            }
            for mu, bs, e in product(self.momenta, self.batches, self.rewinds)
        }
        first = next(iter(grid.values()))
        for epochs in self.aimp:
            train = first["train"] | {"epochs": epochs}
            grid[f"short{epochs}"] = first | {"train": train}
        return grid

    @property
    def whole(self) -> list[str]:
        """The variants that are trained in full, and forked."""
        return [name for name in self.grid if not name.startswith("short")]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Masks and training of each crossed pair."""
        first, *others = self.whole
        pairs = [(name, first) for name in self.grid if name.startswith("short")]
        return [*pairs, *((first, other) for other in others[:3])] if self.crossed else pairs

    def params(self) -> Row:
        """The sections of the params file."""
        return {
            "grid": list(self.grid),
            "imports": {},
            "variants": self.grid,
            "model": {"name": "resnet8"},
            "train": {
                "epochs": self.epochs,
                "batch_size": 64,
                "momentum": 0.9,
                "schedule": dict(RATES),
            },
            "rewind": {"mode": "fixed", "epochs": 0},
            "sgd_noise": {
                "variants": self.whole,
                "noise": list(self.noise),
                "starts": list(self.starts),
                "threshold": 0.02,
            },
        }

    def barrier(self, variant: str, start: str) -> float:
        """Error barrier of a variant's forks, before noise."""
        own = self.grid[variant]
        ranks = {
            "momentum": self.momenta.index(own["train"]["momentum"]),
            "batch_size": self.batches.index(own["train"]["batch_size"]),
            "rewind": self.rewinds.index(own["rewind"]["epochs"]),
        }
        height = 0.3 + sum(self.effects[name] * rank for name, rank in ranks.items())
        return max(0.005, height * (1.0 if start == "rewind" else 0.85 ** int(start)))

    def rows(self, variant: str, seed: int) -> dict[str, list[Row]]:
        """Rows by table, of one variant and seed."""
        run = _Run(self, variant, seed)
        return {name: list(rows) for name, rows in run.rows().items()}


class _Run:
    def __init__(self, made: MadeSgd, variant: str, seed: int) -> None:
        self.made, self.variant, self.seed = made, variant, seed
        self.rng = np.random.default_rng([seed, list(made.grid).index(variant)])
        self.first = variant == made.whole[0]
        mu = made.grid[variant]["train"]["momentum"]
        steep = 0.006 * (1 + mu)
        self.accuracy = {
            k: 0.70 + 0.03 * mu + (0.008 if k == 1 and mu == 0 else 0) - steep * k + self._noise()
            for k in range(made.tickets)
        }

    def rows(self) -> dict[str, Iterable[Row]]:
        tables: dict[str, Iterable[Row]] = {
            "tickets": self._tickets(),
            "barriers": self._barriers(),
            "stages": [self._stage("fork"), self._stage("instability")],
            "crossed": self._crossed(),
        }
        if self.variant in self.made.whole:
            tables |= {
                "forks": self._forks(),
                "fork_curves": self._fork_curves(),
                "instability": self._instability(),
                "instability_paths": self._paths(),
                "probes": self._probes(),
                "transfer": self._transfer(),
                "few_shot": self._few_shot(),
                "rewind_probes": self._rewind_probes(),
                "stable_rewind": self._stable_rewind(),
                "predictors": self._predictors(),
            }
        return tables

    def _noise(self, size: float = 0.001) -> float:
        return float(self.rng.normal(0, size))

    def _scores(self, accuracy: float) -> Row:
        return {"accuracy": accuracy, "nll": 3.3 * (1 - accuracy), "ece": 0.05}

    @staticmethod
    def _stage(stage: str) -> Row:
        row = {"stage": stage, "item": "rewind", "seconds": 61.0, "device": "cpu", "threads": 1}
        return row | {"precision": "fp32"} | {"python": "3.11.9", "torch": "2.13.0"}

    def _splits(self, accuracy: float) -> Iterable[Row]:
        for split, more in (("val", 0.01), ("test", 0.0)):
            yield {"split": split} | self._scores(accuracy + more)

    def _tickets(self) -> Iterable[Row]:
        for k, accuracy in self.accuracy.items():
            for scores in self._splits(accuracy):
                row = _at(k) | scores
                row |= {"winning": accuracy >= self.accuracy[0], "converged": True}
                yield row | {"flops": 100, "parameters": 10, "train_seconds": 1.0}

    def _barriers(self) -> Iterable[Row]:
        height = self.made.barrier(self.variant, "rewind")
        for a in range(self.made.tickets - 1):
            for split in ("val", "test"):
                own = height * 0.8**a + self._noise()
                row = {"ticket_a": a, "ticket_b": a + 1, "split": split}
                yield row | {"error_barrier": own, "loss_barrier": 3 * own}

    def _starts(self) -> Iterable[Row]:
        for start in self.made.starts:
            density = 1.0 if start == "rewind" else 0.8 ** int(start)
            yield {"start": start, "removed": None, "density": density}
        if self.first and self.made.subsets:
            for removed in ("easiest-30", "hardest-30"):
                yield {"start": "rewind", "removed": removed, "density": 1.0}

    def _height(self, at: Row) -> float:
        """The barrier there; the hardest samples' absence halves it."""
        half = 0.5 if at["removed"] == "hardest-30" else 1.0
        return half * self.made.barrier(self.variant, at["start"])

    def _forks(self) -> Iterable[Row]:
        mu = self.made.grid[self.variant]["train"]["momentum"]
        for at, noise in product(self._starts(), self.made.noise):
            failed = self.first and noise in self.made.lost
            accuracy = 0.1 if failed else self.accuracy[0] - 0.02 * (at["removed"] is not None)
            for scores in self._splits(accuracy):
                row = at | {"noise": noise, "images": 700 if at["removed"] else 1000} | scores
                row |= {"converged": not failed, "convergence": 0.9 - 0.1 * mu + self._noise()}
                row |= {"events": 3 + 4 * mu, "events_std": 5.0, "unforgettable": 0.4 - 0.2 * mu}
                yield row | {"never_learned": 0.01, "train_seconds": 1.0}

    def _fork_curves(self) -> Iterable[Row]:
        mu = self.made.grid[self.variant]["train"]["momentum"]
        begin = self.made.grid[self.variant]["rewind"]["epochs"]
        for at, noise in product(self._starts(), self.made.noise):
            for epoch in range(begin, self.made.epochs):
                events = (0.3 + 0.4 * mu) * (1 - epoch / self.made.epochs) + abs(self._noise(0.01))
                row = {"start": at["start"], "removed": at["removed"], "noise": noise}
                row |= {"epoch": epoch, "accuracy": 0.5, "loss": 1.0, "lr": 0.1, "events": events}
                yield row

    def _pairs(self) -> Iterable[Row]:
        for at, (a, b) in product(self._starts(), combinations(self.made.noise, 2)):
            yield at | {"noise_a": a, "noise_b": b}

    def _instability(self) -> Iterable[Row]:
        for pair in self._pairs():
            for split in ("val", "test"):
                height = self._height(pair) + self._noise()
                if self.first and {pair["noise_a"], pair["noise_b"]} & set(self.made.lost):
                    height = float("nan")
                row = {"split": split, "error_barrier": height, "loss_barrier": 3 * height}
                yield pair | row | {"stable": height < 0.02}

    def _paths(self) -> Iterable[Row]:
        for pair, step in product(self._pairs(), range(11)):
            alpha = step / 10
            error = 0.3 + 4 * alpha * (1 - alpha) * self._height(pair) + self._noise()
            for split in ("val", "test"):
                row = {name: value for name, value in pair.items() if name != "density"}
                yield row | {"alpha": alpha, "split": split, "error": error, "loss": 3 * error}

    def _crossed(self) -> Iterable[Row]:
        for masks, training in self.made.pairs:
            if masks != self.variant:
                continue
            for k in (1, self.made.tickets - 1):
                for scores in self._splits(self.accuracy[k] - 0.01 + self._noise()):
                    row = {"training": training} | _at(k) | scores
                    yield row | {"converged": True, "train_seconds": 1.0}

    def _networks(self) -> Iterable[tuple[Row, float]]:
        """Each frozen network, and what it adds to the accuracy of a probe."""
        mu = self.made.grid[self.variant]["train"]["momentum"]
        for k in self.made.probed:
            yield {"network": "ticket"} | _at(k), 0.02 * k * (1 - mu)
            if k:
                yield {"network": "permuted"} | _at(k), 0.0
            yield {"network": "trained"} | _at(k), 0.3

    def _probes(self) -> Iterable[Row]:
        for (network, more), block in product(self._networks(), range(5)):
            accuracy = 0.3 + more * (1 + 0.3 * block) + self._noise()
            for split in ("val", "test"):
                yield network | {"block": block, "split": split, "accuracy": accuracy}

    def _transfer(self) -> Iterable[Row]:
        for (network, more), target in product(self._networks(), self.made.targets):
            accuracy = 0.5 + more + 0.1 * (target == "mnist") + self._noise()
            for split in ("val", "test"):
                yield network | {"target": target, "split": split, "accuracy": accuracy}

    def _few_shot(self) -> Iterable[Row]:
        selections = ("random", *self.made.selections)
        for k, size, selection in product(self.made.probed, self.made.percent, selections):
            for network in ("ticket", "permuted"):
                accuracy = 0.2 + 0.03 * size + 0.02 * k * (network == "ticket") + self._noise()
                row = {"network": network} | _at(k) | {"percent": size, "selection": selection}
                for scores in self._splits(accuracy):
                    row |= {"images": 10 * size} | scores
                    yield row | {"converged": True, "train_seconds": 1.0}

    def _rewind_probes(self) -> Iterable[Row]:
        if not self.made.stable:
            return
        found = self._first_stable()
        for step, epoch in enumerate((0, self.made.epochs // 2, found - 1, found, found + 1)):
            height = 0.01 if epoch >= found else 0.3 - 0.03 * epoch
            row = {"step": step, "epoch": epoch, "error_barrier": height, "stable": height < 0.02}
            yield row | {"check": step == 4}

    def _stable_rewind(self) -> Iterable[Row]:
        if self.made.stable:
            row = {"epoch": self._first_stable(), "epochs": self.made.epochs}
            yield row | {"monotone": self.seed == 0}

    def _first_stable(self) -> int:
        mu = self.made.grid[self.variant]["train"]["momentum"]
        return 2 + int(4 * mu) + self.seed

    def _predictors(self) -> Iterable[Row]:
        if not self.made.pooled:
            return
        for method, k in product(("interpolation", "average"), range(self.made.tickets)):
            height = max(0.0, self.made.barrier(self.variant, "rewind") * 0.8**k + self._noise())
            yield {
                **{"method": method} | _at(k),
                "gain": 0.03 - 0.1 * height + self._noise(),
                "barrier": height,
                "disagreement": 0.2 + self._noise(0.02),
                "instability": self.made.barrier(self.variant, "rewind"),
            }


def _at(ticket: int) -> Row:
    return {"ticket": ticket, "density": 0.8**ticket}
