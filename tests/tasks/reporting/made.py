"""A finished experiment without training: every table, the params file and the paper's numbers.

The numbers are drawn at random around the shapes that the method has (neighbours average well if
rewound, sparse tickets gain less), so that figures of them look like figures of a run.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from ruamel.yaml import YAML

from lp_core.corruptions.names import FAMILIES
from lp_core.tables import TABLES, write_table
from presets.overlays import DEFAULT, source
from tasks.kit.params import Params
from tasks.reporting.imp_pool.published import read_published
from tasks.reporting.imp_pool.results import Results
from tests.tasks.reporting.made_sgd import MadeSgd
from tests.tasks.reporting.made_sup import MadeSup

METHODS: dict[str, dict[str, Any]] = {
    "interpolation": {"recipe": "search"},
    "average": {"recipe": "search", "coefficients": [0.5]},
    "swa": {"recipe": "swa"},
    "ema": {"recipe": "ema", "decay": 0.95},
    "ema-newcomer": {"recipe": "ema-newcomer", "weight": 0.95},
    "candidates-1": {"recipe": "search", "candidates": 1},
    "candidates-2": {"recipe": "search", "candidates": 2},
    "coefficients-3": {"recipe": "search", "coefficients": [0.05, 0.5, 0.95]},
    "coefficients-7": {"recipe": "search", "coefficients": [0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95]},
    "prune-after": {"recipe": "search", "prune": "after"},
    "greedy-soup": {"recipe": "greedy-soup"},
    "uniform-soup": {"recipe": "uniform-soup"},
}
RUN = "0123abcd"
_PUBLISHED = Path(__file__).resolve().parents[3] / "presets" / "published"
_Rows = Iterable[dict[str, Any]]
_Tables = dict[str, list[dict[str, Any]]]
_OFF: dict[str, Any] = {"variants": [], "crossed": []}
_NO_ENDING = {"ending": None}  # which imp-pool's rows have none of
_LAYERS = [f"stages.{k // 2}.conv{1 + k % 2}.weight" for k in range(7)]


@dataclass(frozen=True)
class Made:
    """What to make. barrier: error barrier of neighbours by variant; 0 rewinding epochs where the
    name has `no-rewind` in it. sup, sgd: the other flows', if they ran, too."""

    variants: Sequence[str] = ("base", "no-rewind")
    imported: Sequence[str] = ()  # of the variants
    pooled: Sequence[str] = ("base",)
    seeds: Sequence[int] = (0, 1)
    tickets: int = 6
    methods: Sequence[str] = tuple(METHODS)
    ood: Sequence[str] = ("interpolation", "average", "swa", "ema-newcomer")
    dataset: str = "digits"
    model: str = "resnet8"
    barriers: Sequence[float] = (0.004, 0.25)
    corruptions: Sequence[str] = tuple(FAMILIES)
    sup: MadeSup | None = None
    sgd: MadeSgd | None = None

    def write(self, root: Path) -> None:
        """results/*.parquet, params.yaml and presets/published/ below `root`."""
        for name, rows in self.rows().items():
            write_table(name, rows, root / "results", {"run": RUN})
        YAML(typ="safe").dump(self.params(), root / "params.yaml")
        write_published(root / "presets" / "published")

    def params(self) -> dict[str, Any]:
        chain = [{"ticket": k, "parent": k - 1 if k else "rewind"} for k in range(self.tickets)]
        corrupt = {"source": "generate", "watch": "constraints.txt", "images": 200}
        sup = self.sup or MadeSup(variants=())
        params = {
            "dataset": self.dataset,
            "corrupt": {self.dataset: corrupt},
            "seeds": list(self.seeds),
            "grid": [v for v in self.variants if v not in self.imported],
            "imports": {v: {"path": "saved", "pattern": "*"} for v in self.imported},
            "variants": {v: self._over(v) for v in (*self.variants, *sup.variants)},
            "train": {"epochs": sup.epochs},
            "rewind": {"epochs": 2},
            "imp": {"rounds": chain},
            "pooling": {
                "variants": list(self.pooled),
                "methods": list(self.methods),
                "corrupted": [m for m in self.ood if m in self.methods],
                "recipes": {m: METHODS.get(m, {"recipe": "search"}) for m in self.methods},
            },
            "sup_tickets": sup.params(),
            "sgd_noise": YAML(typ="safe").load(source(DEFAULT))["sgd_noise"] | _OFF,
        }
        return _overlaid(params, self.sgd.params()) if self.sgd else params

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Rows by table, of every table."""
        tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        for variant, barrier in zip(self.variants, self.barriers, strict=False):
            for seed in self.seeds:
                number = self.variants.index(variant)
                rng = np.random.default_rng([seed, number, self.tickets])
                run = _Run(self, rng, barrier, variant in self.pooled)
                self._add(tables, variant, seed, run.rows())
        if self.sup:
            for variant, seed in product(self.sup.variants, self.sup.seeds):
                self._add(tables, variant, seed, self.sup.rows(variant, seed))
        if self.sgd:
            for variant, seed in product(self.sgd.grid, self.sgd.seeds):
                self._add(tables, variant, seed, self.sgd.rows(variant, seed))
        return tables

    def _add(self, tables: _Tables, variant: str, seed: int, more: Mapping[str, _Rows]) -> None:
        run = {"dataset": self.dataset, "model": self.model, "variant": variant, "seed": seed}
        for name, rows in more.items():
            nobodys = {"digest": ""} if "digest" in TABLES[name].names else {}
            tables[name] += [run | nobodys | row for row in rows]

    def frames(self) -> dict[str, pd.DataFrame]:
        return {
            name: pa.Table.from_pylist(
                [row | {"run": RUN} for row in rows], schema=TABLES[name]
            ).to_pandas()
            for name, rows in self.rows().items()
        }

    @staticmethod
    def _over(variant: str) -> dict[str, Any]:
        return {"rewind": {"epochs": 0}} if "no-rewind" in variant else {}


class _Run:
    """One variant and seed."""

    def __init__(self, made: Made, rng: np.random.Generator, barrier: float, pooled: bool) -> None:
        self.made, self.rng, self.barrier, self.pooled = made, rng, barrier, pooled
        self.numbers = range(made.tickets)
        self.accuracy = {k: 0.73 + 0.004 * k - 0.0007 * k**2 + self._noise() for k in self.numbers}

    def rows(self) -> dict[str, Iterable[dict[str, Any]]]:
        tables: dict[str, Iterable[dict[str, Any]]] = {
            "tickets": list(self._tickets()),
            "heatmap": list(self._heatmap()),
            "interpolation": list(self._interpolation()),
            "barriers": list(self._barriers()),
            "disagreement": list(self._disagreement()),
            "stages": [self._stage("landscape", "tickets"), self._stage("imp", "0")],
            "curves": [
                _NO_ENDING
                | {"method": None, "epoch": 1, "split": "train"}
                | _at(0)
                | {"accuracy": 0.5, "loss": 1.0, "lr": 0.1}
            ],
            "ood": list(self._ood()),
        }
        if self.pooled:
            tables |= {
                "pools": list(self._pools()),
                "ensembles": list(self._ensembles()),
                "layers": list(self._layers()),
            }
        return tables

    def _noise(self, size: float = 0.002) -> float:
        return float(self.rng.normal(0, size))

    def _scores(self, accuracy: float) -> dict[str, float]:
        ece = 0.08 + self._noise()
        return {"accuracy": accuracy, "nll": 3.3 * (1 - accuracy) + self._noise(), "ece": ece}

    def _stage(self, stage: str, item: str) -> dict[str, Any]:
        row = {"stage": stage, "item": item, "seconds": 61.0, "device": "cpu", "threads": 1}
        return row | {"precision": "fp32"} | {"python": "3.11.9", "torch": "2.13.0"}

    def _tickets(self) -> Iterable[dict[str, Any]]:
        for k in self.numbers:
            for split, more in (("val", 0.01), ("test", 0.0)):
                row = _at(k) | {"split": split} | self._scores(self.accuracy[k] + more)
                row |= {"winning": k > 0, "converged": True, "train_seconds": 60.0}
                yield row | {"flops": int(2e7 * 0.8**k), "parameters": int(8e4 * 0.8**k)}

    def _gain(self, method: str, k: int) -> float:
        base = {
            "swa": 0.014 - 0.004 * k,
            "ema-newcomer": 0.005 - 0.001 * k,
            "prune-after": 0.01 - 0.003 * k,
        }
        return base.get(method, 0.018 - 0.0006 * k) + self._noise()

    def _pools(self) -> Iterable[dict[str, Any]]:
        for method in self.made.methods:
            for k in self.numbers:
                gain = self._gain(method, k)
                for split in ("val", "test"):
                    row = {"method": method} | _at(k) | {"split": split}
                    row |= self._scores(self.accuracy[k] + gain)
                    row |= {"members": 3, "gain": gain}
                    yield row | {"flops": int(2e7 * 0.8**k), "parameters": int(8e4 * 0.8**k)}

    def _ood(self) -> Iterable[dict[str, Any]]:
        methods = [m for m in self.made.ood if m in self.made.methods and self.pooled]
        for method in ("ticket", *methods):
            for k in self.numbers:
                gain = 0.0 if method == "ticket" else self._gain(method, k)
                for index, corruption in enumerate(self.made.corruptions):
                    for severity in range(1, 6):
                        more = gain * (1 + 0.1 * index - 0.2 * severity) - 0.03 * severity
                        row = {"method": method, "corruption": corruption, "severity": severity}
                        yield _NO_ENDING | row | _at(k) | self._scores(self.accuracy[k] + more)

    def _heatmap(self) -> Iterable[dict[str, Any]]:
        for a in self.numbers:
            for b in range(a, self.made.tickets):
                lost = self.barrier * (b - a) ** 0.5 * 1.5 - 0.012 * np.exp(-(b - a) / 2)
                accuracy = self.accuracy[b] - (lost + self._noise() if b > a else 0.0)
                yield _pair(a, b) | {"density": 0.8**b, "accuracy": float(max(accuracy, 0.1))}

    def _interpolation(self) -> Iterable[dict[str, Any]]:
        for a in self.numbers[:-1]:
            for alpha in (i / 10 for i in range(11)):
                hill = 4 * alpha * (1 - alpha) * (self.barrier - 0.01)
                error = 1 - alpha * self.accuracy[a] - (1 - alpha) * self.accuracy[a + 1] + hill
                for split in ("val", "test"):
                    row = _pair(a, a + 1) | {"alpha": alpha, "split": split}
                    yield row | {"error": error, "loss": 3.3 * error}

    def _barriers(self) -> Iterable[dict[str, Any]]:
        for a in self.numbers[:-1]:
            height = self.barrier + self._noise(0.001)
            for split in ("val", "test"):
                row = _pair(a, a + 1) | {"split": split}
                yield row | {"error_barrier": height, "loss_barrier": 3 * height}

    def _disagreement(self) -> Iterable[dict[str, Any]]:
        for a in self.numbers:
            for b in self.numbers:
                share = 0.0 if a == b else 0.12 + 0.02 * abs(a - b) ** 0.5 + self.barrier / 5
                yield _pair(a, b) | {"disagreement": share, "kl": 2 * share + 0.01 * (a > b)}

    def _ensembles(self) -> Iterable[dict[str, Any]]:
        for k in self.numbers:
            row = {"method": "candidates-2"} | _at(k) | {"members": 3}
            row |= {"accuracy_pool": self.accuracy[k] + 0.012 + self._noise()}
            row |= {"accuracy_ensemble": self.accuracy[k] + 0.02 + self._noise()}
            yield row | {"flops_pool": int(2e7 * 0.8**k), "flops_ensemble": int(6e7 * 0.8**k)}

    def _layers(self) -> Iterable[dict[str, Any]]:
        for method in self.made.methods:
            for k in self.numbers:
                for index, layer in enumerate(_LAYERS):
                    density = 0.8 ** (k * (0.5 + index / 6))
                    moved = 0.0 if k == 0 else 0.04 + 0.01 * k + self._noise()
                    row = {"method": method, "ticket": k, "layer": layer, "moved": moved}
                    row |= {"weights": 200 * (index + 1), "ticket_density": density}
                    yield row | {"density": density * (0.97 + index / 100)}


def results(made: Made) -> Results:
    """What the figures and the page are made from."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        YAML(typ="safe").dump(made.params(), path)
        write_published(Path(folder))
        return Results(made.frames(), Params(path=path), read_published(Path(folder)))


def write_published(folder: Path) -> None:
    """The files with made-up numbers of one setting, vgg16 on cifar100; of the other two
    papers the real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("sup_tickets*.csv", "sgd_noise*.csv"):
        for path in _PUBLISHED.glob(pattern):
            shutil.copy(path, folder)
    setting: dict[str, Any] = {"source": "Paper, table 6", "dataset": "cifar100", "model": "vgg16"}
    pd.DataFrame(
        [
            setting | {"method": m, "density": round(0.8**k, 4), "accuracy": 0.7311, "std": 0.0022}
            for m in ("ticket", "interpolation", "average", "swa", "ema-newcomer")
            for k in range(19)
        ]
    ).to_csv(folder / "results.csv", index=False)
    claims = [("highest gain", None, 1.88, "test"), ("gain at 1.8% density", 0.018, 0.81, "test")]
    claims += [("highest gain", None, 2.27, "corrupted")]
    columns = ("claim", "density", "value", "images")
    of_text = setting | {"source": "Paper, abstract", "ticket_kind": "sparse"}
    pd.DataFrame([of_text | dict(zip(columns, claim, strict=True)) for claim in claims]).to_csv(
        folder / "claims.csv", index=False
    )


def _overlaid(params: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The params of two flows: lists one after the other, mappings laid over each other."""
    result = dict(params)
    for name, value in more.items():
        below = result.get(name)
        if isinstance(value, list) and isinstance(below, list):
            result[name] = [*below, *value]
        elif isinstance(value, dict) and isinstance(below, dict):
            result[name] = below | value
        else:
            result[name] = value
    return result


def _at(ticket: int) -> dict[str, Any]:
    return {"ticket": ticket, "density": 0.8**ticket}


def _pair(a: int, b: int) -> dict[str, Any]:
    return {"ticket_a": a, "ticket_b": b}
