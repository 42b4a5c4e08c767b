"""What params.yaml lists of SGD noise: forks of starts, and what is measured of tickets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from tasks.kit.params import Params
from tasks.kit.rows import Row, RowsFile
from tasks.kit.sgd_noise import SgdNoise

# The tables that have rows of each item of a stage (instability's: of each pair of forks).
_TABLES: dict[str, tuple[str, ...]] = {
    "fork": ("forks", "fork_curves"),
    "subset_fork": ("forks", "fork_curves"),
    "instability": ("instability", "instability_paths"),
    "subset_instability": ("instability", "instability_paths"),
    "cross": ("crossed",),
    "probe": ("probes",),
    "transfer": ("transfer",),
    "few_shot": ("few_shot",),
    "stable_rewind": ("stable_rewind", "rewind_probes"),
}
_OF_PAIRS = ("instability", "subset_instability")
_PAIR = ("noise_a", "noise_b")
_FORK = ("start", "removed")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "forks": (*_FORK, "noise"),
    "fork_curves": (*_FORK, "noise"),
    "instability": (*_FORK, *_PAIR),
    "instability_paths": (*_FORK, *_PAIR),
    "crossed": ("training", "ticket"),
    "probes": ("ticket",),
    "transfer": ("ticket", "target"),
    "few_shot": ("ticket", "network", "percent", "selection"),
    "stable_rewind": (),
    "rewind_probes": (),
}


@dataclass(frozen=True)
class ListedNoise:
    """The runs of each stage, but for their seeds: variant, and what else their heads name.

    noise: the seeds of the forks of a start.
    """

    seeds: list[int]
    noise: list[int]
    stages: dict[str, list[Row]]

    @classmethod
    def read(cls, params: Params) -> "ListedNoise":
        """Raises ParamsError for a value of another kind."""
        section = params.section("sgd_noise", SgdNoise)
        return cls(params.section("seeds", list[int]), section.noise, dict(_stages(section)))

    @property
    def variants(self) -> list[str]:
        """Of all stages, each once."""
        return list(dict.fromkeys(i["variant"] for items in self.stages.values() for i in items))

    @staticmethod
    def is_of(head: Row) -> bool:
        """Whether a rows file with this head is this flow's."""
        return head["stage"] in _TABLES

    def has(self, file: RowsFile) -> bool:
        """Whether everything that the head of a rows file names is listed."""
        return _item(file.head) in self.stages[file.head["stage"]]

    def position(self, head: Row) -> tuple[int, ...]:
        """Where the rows of a listed file stand among those of its variant and seed."""
        stage = head["stage"]
        return list(self.stages).index(stage), self.stages[stage].index(_item(head))

    def items(self) -> dict[str, Iterable[Row]]:
        """By table, what it must have rows of."""
        found: dict[str, list[Row]] = {table: [] for table in _COLUMNS}
        pairs = [dict(zip(_PAIR, pair, strict=True)) for pair in combinations(self.noise, 2)]
        for stage, items in self.stages.items():
            runs = product(items, self.seeds, pairs if stage in _OF_PAIRS else [{}])
            each = [
                {"variant": item["variant"], "seed": seed} | item | pair
                for item, seed, pair in runs
            ]
            for table in _TABLES[stage]:
                found[table] += each
        return dict(found)

    def item(self, table: str, row: Row) -> Row | None:
        """What a row is of."""
        return {column: row[column] for column in ("variant", "seed", *_COLUMNS[table])}


def _stages(section: SgdNoise) -> Iterator[tuple[str, list[Row]]]:
    """By stage, its items in the order of the params."""
    variants, noise = section.variants, section.noise
    subsets, few_shot = section.subsets, section.few_shot
    starts = list(map(str, section.starts))
    whole: dict[str, Iterable[Any]] = {"variant": variants, "start": starts, "removed": [None]}
    part: dict[str, Iterable[Any]] = {"variant": subsets.variants, "start": ["rewind"]}
    part |= {"removed": subsets.removed}
    yield "fork", _product(**whole, noise=noise)
    yield "instability", _product(**whole)
    yield "subset_fork", _product(**part, noise=noise)
    yield "subset_instability", _product(**part)
    yield (
        "cross",
        [
            {"variant": pair.masks, "training": pair.training, "ticket": ticket}
            for pair, ticket in product(section.crossed, section.crossed_tickets)
        ],
    )
    yield "probe", _product(variant=variants, ticket=section.probes.tickets)
    targets = section.transfer.targets
    yield "transfer", _product(variant=variants, ticket=section.transfer.tickets, target=targets)
    yield (
        "few_shot",
        _product(
            variant=variants,
            ticket=few_shot.tickets,
            network=few_shot.networks,
            percent=few_shot.percent,
            selection=["random", *few_shot.selections],
        ),
    )
    yield "stable_rewind", _product(variant=section.stable_rewind.variants)


def _product(**axes: Iterable[Any]) -> list[Row]:
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def _item(head: Row) -> Row:
    """What a head names beside the run's data set, network and seed."""
    return {
        key: value
        for key, value in head.items()
        if key not in ("stage", "dataset", "model", "seed")
    }
