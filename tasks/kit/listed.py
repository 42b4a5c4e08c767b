"""What params.yaml lists: which rows files belong in the tables, and which rows are missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from lp_core.errors import InputError
from tasks.kit.listed_endings import ListedEndings
from tasks.kit.listed_noise import ListedNoise
from tasks.kit.listed_tickets import ListedTickets
from tasks.kit.params import Params
from tasks.kit.rows import Row, RowsFile, Tables

_NAMED = 4  # missing rows that an error names before it counts the rest

# What a row is of, by column.
_Key = tuple[tuple[str, Any], ...]


class Flow(Protocol):
    """What one flow lists."""

    def has(self, file: RowsFile) -> bool:
        """Whether everything that the head of a rows file names is listed."""

    def position(self, head: Row) -> tuple[int, ...]:
        """Where the rows of a listed file stand among those of its variant and seed."""

    def items(self) -> dict[str, Iterable[Row]]:
        """By table, what it must have rows of."""

    def item(self, table: str, row: Row) -> Row | None:
        """What a row is of; None for a row that `items` says nothing about."""


@dataclass(frozen=True)
class Listed:
    """The data set, variants and seeds of an experiment, and what its flows list."""

    dataset: str
    variants: list[str]
    seeds: list[int]
    flows: tuple[ListedTickets, ListedEndings, ListedNoise]

    @classmethod
    def read(cls, params: Params) -> "Listed":
        """Raises ParamsError for a value of another kind."""
        tickets, endings = ListedTickets.read(params), ListedEndings.read(params)
        noise = ListedNoise.read(params)
        return cls(
            dataset=params.section("dataset", str),
            variants=list(dict.fromkeys([*tickets.variants, *endings.variants, *noise.variants])),
            seeds=params.section("seeds", list[int]),
            flows=(tickets, endings, noise),
        )

    def has(self, file: RowsFile) -> bool:
        """Whether everything that the head of a rows file names is listed."""
        head = file.head
        if head["dataset"] != self.dataset or head["seed"] not in self.seeds:
            return False
        return self._flow(head).has(file)

    def position(self, file: RowsFile) -> tuple[int, ...]:
        """Where a listed file stands in the tables: in the order in which params.yaml lists."""
        head, flow = file.head, self._flow(file.head)
        return (
            self.variants.index(head["variant"]),
            self.seeds.index(head["seed"]),
            self.flows.index(flow),
            *flow.position(head),
        )

    def require_complete(self, tables: Tables) -> None:
        """Raises InputError unless the tables have the rows of exactly what is listed: a table that
        silently lacks some would pass for the result."""
        for flow in self.flows:
            for name, items in flow.items().items():
                listed = {_key(item) for item in items}
                present = {_key(i) for row in tables[name] if (i := flow.item(name, row))}
                _refuse(listed - present, f"table {name} would lack")
                _refuse(present - listed, f"params.yaml does not list, but table {name} would have")

    def _flow(self, head: Row) -> Flow:
        tickets, endings, noise = self.flows
        if noise.is_of(head):
            return noise
        return endings if endings.is_of(head) else tickets


def _key(item: Row) -> _Key:
    return tuple(item.items())


def _refuse(keys: Iterable[_Key], fault: str) -> None:
    # None, of an item that has no such thing, comes before any value.
    ordered = sorted(keys, key=lambda key: [(value is not None, value) for _, value in key])
    if not ordered:
        return
    names = [_name(key) for key in ordered[:_NAMED]]
    if len(ordered) > _NAMED:
        names.append(f"{len(ordered) - _NAMED} more")
    raise InputError(f"{fault} {'; '.join(names)}; `dvc repro tables` runs what it needs first")


def _name(key: _Key) -> str:
    return ", ".join(f"{column} {value}" for column, value in key if value is not None)
