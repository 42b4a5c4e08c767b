"""A finished sup-tickets flow without training: its rows and its part of the params file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from lp_core.corruptions.names import FAMILIES

Row = dict[str, Any]

TRAINING: dict[str, Row] = {
    "dense": {"recipe": "dense"},
    "erk": {"recipe": "erk", "density": 0.1},
    "set": {"recipe": "set", "density": 0.1},
    "rigl": {"recipe": "rigl", "density": 0.1},
    "rigl-95": {"recipe": "rigl", "density": 0.05},
    "granet": {"recipe": "granet", "density": 0.1},
}
_CIA = {"tickets": 3, "cycle": 2}
ENDING: dict[str, Row] = {
    "plain": {"tickets": 0},
    "cia": _CIA,
    "caa": _CIA | {"average": "caa"},
    "cima": _CIA | {"average": "cima"},
    "cima-0.5": _CIA | {"average": "cima", "beta": 0.5},
    "cycle-1": {"tickets": 6, "cycle": 1},
    "cycle-3": {"tickets": 2, "cycle": 3},
    "tickets-1": {"tickets": 1, "cycle": 2},
    "tickets-2": {"tickets": 2, "cycle": 2},
    "fge": _CIA | {"schedule": "fge"},
    "swa": _CIA | {"schedule": "swa"},
    "re-estimate": _CIA | {"batch_norm": "re-estimate"},
    "unexplored": _CIA | {"prune_rate": 0.0},
    "search": _CIA | {"average": "search"},
}
_ACCURACY = {
    "dense": 0.76,
    "erk": 0.70,
    "set": 0.73,
    "rigl": 0.735,
    "rigl-95": 0.71,
    "granet": 0.75,
}
_GAIN = {"plain": 0.0, "caa": 0.004, "cima": 0.008, "cycle-3": 0.007, "tickets-1": 0.002}
_LAYERS = [f"stages.{k // 2}.conv{1 + k % 2}.weight" for k in range(7)]


@dataclass(frozen=True)
class MadeSup:
    """What to make. siblings: tickets of imp-pool whose pools a Sup-ticket is offered to."""

    variants: Sequence[str] = ("base",)
    seeds: Sequence[int] = (0, 1)
    methods: Sequence[str] = tuple(TRAINING)
    endings: Sequence[str] = ("plain", "cia")
    ablated: Sequence[str] = ("rigl",)
    ablations: Sequence[str] = tuple(name for name in ENDING if name not in ("plain", "cia"))
    ensembles: Sequence[str] = ("dense",)
    efficient: Sequence[str] = ("tree-net", "batch-ensemble")
    siblings: int = 4
    corruptions: Sequence[str] = tuple(FAMILIES)
    gain: float = 0.01  # of every ending but a few, over the plain one
    accepted: bool = True
    scale: int = 1  # of all cycles: 4 makes the paper's, in a training as long as its own

    @property
    def epochs(self) -> int:
        return 30 if self.scale == 1 else 250

    @property
    def start(self) -> int:
        return self.epochs - 6 * self.scale

    def ending(self, name: str) -> Row:
        own = ENDING[name]
        return own | {"cycle": own["cycle"] * self.scale} if own["tickets"] else own

    def params(self) -> Row:
        """The section `sup_tickets`."""
        return {
            "variants": list(self.variants),
            "methods": list(self.methods),
            "endings": list(self.endings),
            "corrupted": ["plain", "cia"],
            "ablated": list(self.ablated),
            "ablations": list(self.ablations),
            "ensembles": list(self.ensembles),
            "efficient_ensembles": list(self.efficient),
            "siblings": {"methods": ["rigl"], "ending": "cia", "pool": "interpolation"},
            "start": self.start,
            "training": TRAINING,
            "ending": {name: self.ending(name) for name in ENDING},
        }

    def rows(self, variant: str, seed: int) -> dict[str, list[Row]]:
        """Rows by table, of one variant and seed."""
        run = _Run(self, np.random.default_rng([seed, self.variants.index(variant)]), seed)
        return {name: list(rows) for name, rows in run.rows().items()}


class _Run:
    def __init__(self, made: MadeSup, rng: np.random.Generator, seed: int) -> None:
        self.made, self.rng, self.seed = made, rng, seed
        self.of_seed = {m: _ACCURACY[m] + self._noise(0.004) for m in made.methods}
        self.accuracy = {(m, e): self.of_seed[m] + self._gain(e) for m, e in self._ended()}

    def rows(self) -> dict[str, Iterable[Row]]:
        return {
            "sup_tickets": self._sup_tickets(),
            "cheap_tickets": self._cheap_tickets(),
            "diversity": self._diversity(),
            "layer_density": self._layer_density(),
            "siblings": self._siblings(),
            "ood": self._ood(),
            "curves": self._curves(),
            "stages": [self._stage("sparse", "rigl"), self._stage("ending", "rigl-cia")],
        }

    def _noise(self, size: float = 0.002) -> float:
        return float(self.rng.normal(0, size))

    def _gain(self, ending: str) -> float:
        if ending == "plain":
            return 0.0
        return _GAIN.get(ending, self.made.gain) + self._noise(0.001)

    def _ended(self) -> list[tuple[str, str]]:
        made = self.made
        every = [(m, e) for m in made.methods for e in made.endings]
        return every + [(m, e) for m in made.ablated if m in made.methods for e in made.ablations]

    def _scores(self, accuracy: float) -> Row:
        nll = 3.3 * (1 - accuracy) + self._noise()
        return {"digest": "", "accuracy": accuracy, "nll": nll, "ece": 0.08 + self._noise()}

    @staticmethod
    def _stage(stage: str, item: str) -> Row:
        row = {"stage": stage, "item": item, "seconds": 61.0, "device": "cpu", "threads": 1}
        return row | {"precision": "fp32"} | {"python": "3.11.9", "torch": "2.13.0"}

    def _sup_tickets(self) -> Iterable[Row]:
        for (method, ending), accuracy in self.accuracy.items():
            own, density = self.made.ending(ending), TRAINING[method].get("density", 1.0)
            sup = own["tickets"] > 0
            spent = 1.0 if density == 1 else min(1.0, 1.8 * density + 0.02 * len(method))
            spent += 0.0005 * sup
            for split, more in (("val", 0.01), ("test", 0.0)):
                yield (
                    {"method": method, "ending": ending, "sup": sup}
                    | {"average": own.get("average", "cia") if sup else None}
                    | {"cycle": own["cycle"] if sup else None, "tickets": own["tickets"]}
                    | {"density": density, "split": split}
                    | self._scores(accuracy + more)
                    | {"converged": True, "train_flops": int(1e15 * spent)}
                    | {"test_flops": int(2e7 * density), "train_fraction": spent}
                    | {"test_fraction": density, "train_seconds": 60.0}
                )

    def _cheap_tickets(self) -> Iterable[Row]:
        for (method, ending), accuracy in self.accuracy.items():
            own = self.made.ending(ending)
            for k in range(1, own["tickets"] + 1):
                left = own["tickets"] - k
                row = {"method": method, "ending": ending, "cheap": k}
                row |= {"epoch": float(self.made.epochs - left * own["cycle"])}
                row |= {"density": TRAINING[method].get("density", 1.0)}
                for split, more in (("val", 0.01), ("test", 0.0)):
                    average = accuracy - 0.003 * left + more
                    searched = own.get("average") == "search"
                    yield (
                        row
                        | {"split": split}
                        | self._scores(self.of_seed[method] - 0.004 + self._noise() + more)
                        | {"average_accuracy": None if searched else average}
                    )

    def _curves(self) -> Iterable[Row]:
        for method in self.made.methods:
            for ending in (None, *self.made.endings):
                for epoch in (
                    range(self.made.start)
                    if ending is None
                    else range(self.made.start, self.made.epochs)
                ):
                    low = 0.03 * (epoch % 2 == 0) * (ending not in (None, "plain"))
                    accuracy = self.of_seed[method] - 0.3 * 0.8**epoch - low + self._noise()
                    for split in ("train", "val"):
                        row = {"method": method, "ending": ending, "ticket": None, "lr": 0.005}
                        row |= {"density": TRAINING[method].get("density", 1.0), "epoch": epoch}
                        yield row | {"split": split, "accuracy": accuracy, "loss": 1 - accuracy}

    def _diversity(self) -> Iterable[Row]:
        for (method, ending), _ in self.accuracy.items():
            count = ENDING[ending]["tickets"]
            row: Row = {"kind": "cheap", "method": method, "ending": ending}
            yield from self._pairs(row, permutations(range(1, count + 1), 2), 0.05)
        for method in self.made.ensembles:
            row = {"kind": "seeds", "method": method, "ending": "plain"}
            others = [(self.seed, other) for other in self.made.seeds if other != self.seed]
            yield from self._pairs(row, others, 0.2)
        for place, kind in enumerate(self.made.efficient):
            row = {"kind": kind, "method": None, "ending": None}
            yield from self._pairs(row, permutations(range(4), 2), 0.04 + 0.02 * place)

    def _pairs(self, row: Row, pairs: Iterable[tuple[int, int]], share: float) -> Iterable[Row]:
        for a, b in pairs:
            apart = share + abs(self._noise())
            yield row | {"a": a, "b": b, "disagreement": apart, "kl": 2 * apart}

    def _layer_density(self) -> Iterable[Row]:
        for method in self.made.methods:
            density = TRAINING[method].get("density", 1.0)
            for ending, epoch in ((None, 0), (None, self.made.start), ("plain", self.made.epochs)):
                for index, layer in enumerate(_LAYERS):
                    own = 2 * density / (1 + index) + 0.0001 * epoch * index * (len(method) - 3)
                    own = min(1.0, own + 0.003 * len(method))
                    row = {"method": method, "ending": ending, "epoch": epoch, "layer": layer}
                    yield row | {"weights": 200 * (index + 1), "density": own}

    def _ood(self) -> Iterable[Row]:
        for (method, ending), accuracy in self.accuracy.items():
            if ending not in ("plain", "cia"):
                continue
            row = {"method": method, "ending": ending, "ticket": None}
            row |= {"density": TRAINING[method].get("density", 1.0)}
            for corruption in self.made.corruptions:
                for severity in range(1, 6):
                    at = {"corruption": corruption, "severity": severity}
                    yield row | at | self._scores(accuracy - 0.05 * severity)

    def _siblings(self) -> Iterable[Row]:
        for ticket in range(self.made.siblings):
            taken = self.made.accepted and ticket % 2 == 0
            for split in ("val", "test"):
                without = 0.74 - 0.004 * ticket + self._noise()
                yield {
                    **{"method": "rigl", "ending": "cia", "pool": "interpolation"},
                    **{"ticket": ticket, "density": 0.8**ticket, "split": split},
                    **{"accuracy_without": without, "accepted": taken},
                    "accuracy_with": without + (0.003 + self._noise(0.001)) * taken,
                    "coefficient": 0.9 if taken else None,
                }
