"""What params.yaml lists: which rows files belong in the tables, and which rows are missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

from lp_core.errors import InputError
from lp_core.sparsity.spec import Round
from tasks.kit.params import Params
from tasks.kit.rows import Row, RowsFile, Tables

_NAMED = 4  # missing rows that an error names before it counts the rest

# Variant, seed, method (in tables that have one) and ticket.
_Key = tuple[Any, ...]


@dataclass(frozen=True)
class Listed:
    """The variants, seeds, tickets and methods of an experiment.

    pooled: the variants whose tickets are pooled. corrupted: the methods whose pooled tickets are
    measured on corrupted images, too.
    """

    dataset: str
    variants: list[str]
    seeds: list[int]
    tickets: list[int]
    pooled: list[str]
    methods: list[str]
    corrupted: list[str]

    @classmethod
    def read(cls, params: Params) -> "Listed":
        """Raises ParamsError for a value of another kind."""
        return cls(
            dataset=params.section("dataset", str),
            variants=params.section("grid", list[str]),
            seeds=params.section("seeds", list[int]),
            tickets=[line.ticket for line in params.section("imp.rounds", list[Round])],
            pooled=params.section("pooling.variants", list[str]),
            methods=params.section("pooling.methods", list[str]),
            corrupted=params.section("pooling.corrupted", list[str]),
        )

    def has(self, file: RowsFile) -> bool:
        """Whether everything that the head of a rows file names is listed."""
        head = file.head
        if head["dataset"] != self.dataset or head["seed"] not in self.seeds:
            return False
        if "ticket" in head and head["ticket"] not in self.tickets:
            return False
        if "method" not in head:
            return head["variant"] in self.variants
        methods = self.corrupted if "ood" in file.tables else self.methods
        return head["variant"] in self.pooled and head["method"] in methods

    def position(self, file: RowsFile) -> tuple[int, ...]:
        """Where a listed file stands in the tables: in the order in which params.yaml lists."""
        head = file.head
        return (
            self.variants.index(head["variant"]),
            self.seeds.index(head["seed"]),
            self.methods.index(head["method"]) if "method" in head else -1,
            head.get("ticket", -1),
        )

    def require_complete(self, tables: Tables) -> None:
        """Raises InputError unless the tables have the rows of exactly the tickets and methods that
        are listed: a table that silently lacks some would pass for the result."""
        for name, listed in self._keys().items():
            present = set(_keys_of(tables.get(name, []), with_method=name in ("pools", "ood")))
            _refuse(listed - present, f"table {name} would lack")
            _refuse(present - listed, f"params.yaml does not list, but table {name} would have")

    def _keys(self) -> dict[str, set[_Key]]:
        """The rows that each of the tables must have."""
        every = set(product(self.variants, self.seeds, self.tickets))
        pooled = set(product(self.pooled, self.seeds, self.methods, self.tickets))
        corrupted = set(product(self.pooled, self.seeds, self.corrupted, self.tickets))
        unpooled = set(product(self.variants, self.seeds, ["ticket"], self.tickets))
        return {
            "curves": {*every},
            "tickets": {*every},
            "heatmap": {*every},
            "pools": {*pooled},
            "ood": {*unpooled, *corrupted},
            "ensembles": {*product(self.pooled, self.seeds, self.tickets)},
        }


def _keys_of(rows: Iterable[Row], with_method: bool) -> Iterable[_Key]:
    for row in rows:
        ticket = row["ticket_b"] if "ticket_b" in row else row["ticket"]
        if ticket is None:  # the curve of the way to the rewind point
            continue
        if with_method:
            yield row["variant"], row["seed"], row["method"], ticket
        else:
            yield row["variant"], row["seed"], ticket


def _refuse(keys: Iterable[_Key], fault: str) -> None:
    ordered = sorted(keys)
    if not ordered:
        return
    names = [_name(key) for key in ordered[:_NAMED]]
    if len(ordered) > _NAMED:
        names.append(f"{len(ordered) - _NAMED} more")
    raise InputError(f"{fault} {'; '.join(names)}; `dvc repro tables` runs what it needs first")


def _name(key: _Key) -> str:
    variant, seed, *method, ticket = key
    of_method = f", method {method[0]}" if method else ""
    return f"variant {variant}, seed {seed}{of_method}, ticket {ticket}"
