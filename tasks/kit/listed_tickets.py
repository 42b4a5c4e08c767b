"""What params.yaml lists of imp-pool: tickets by iterative magnitude pruning, and pooled ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

from lp_core.sparsity.spec import Round
from tasks.kit.params import Params
from tasks.kit.rows import Row, RowsFile

_WITH_METHOD = ("pools", "ood")


@dataclass(frozen=True)
class ListedTickets:
    """The variants, seeds, tickets and methods of an experiment.

    trained: the variants of the grid; variants: those and the imported ones. pooled: the variants
    whose tickets are pooled. corrupted: the methods whose pooled tickets are
    measured on corrupted images, too.
    """

    trained: list[str]
    variants: list[str]
    seeds: list[int]
    tickets: list[int]
    pooled: list[str]
    methods: list[str]
    corrupted: list[str]

    @classmethod
    def read(cls, params: Params) -> "ListedTickets":
        """Raises ParamsError for a value of another kind."""
        trained = params.section("grid", list[str])
        return cls(
            trained=trained,
            variants=[*trained, *params.section("imports", dict[str, Any])],
            seeds=params.section("seeds", list[int]),
            tickets=[line.ticket for line in params.section("imp.rounds", list[Round])],
            pooled=params.section("pooling.variants", list[str]),
            methods=params.section("pooling.methods", list[str]),
            corrupted=params.section("pooling.corrupted", list[str]),
        )

    def has(self, file: RowsFile) -> bool:
        """Whether everything that the head of a rows file names is listed."""
        head = file.head
        if "ticket" in head and head["ticket"] not in self.tickets:
            return False
        if "method" not in head:
            return head["variant"] in self.variants
        methods = self.corrupted if "ood" in file.tables else self.methods
        return head["variant"] in self.pooled and head["method"] in methods

    def position(self, head: Row) -> tuple[int, ...]:
        """Where the rows of a listed file stand among those of its variant and seed."""
        method = self.methods.index(head["method"]) if "method" in head else -1
        return method, head.get("ticket", -1)

    def items(self) -> dict[str, Iterable[Row]]:
        """By table, what it must have rows of."""
        every = self._product(self.variants, [None])
        alone = self._product(self.variants, ["ticket"])
        pools = self._product(self.pooled, self.methods)
        return {
            "curves": self._product(self.trained, [None]),
            "tickets": every,
            "heatmap": every,
            "pools": pools,
            "ood": [*alone, *self._product(self.pooled, self.corrupted)],
            "ensembles": self._product(self.pooled, [None]),
        }

    def item(self, table: str, row: Row) -> Row | None:
        """What a row is of; None for another flow's, and for the way to the rewind point."""
        ticket = row["ticket_b"] if "ticket_b" in row else row["ticket"]
        if ticket is None:
            return None
        return _item(row["variant"], row["seed"], _method(table, row), ticket)

    def _product(self, variants: list[str], methods: Iterable[str | None]) -> list[Row]:
        return [_item(*each) for each in product(variants, self.seeds, methods, self.tickets)]


def _method(table: str, row: Row) -> str | None:
    method: str | None = row["method"] if table in _WITH_METHOD else None
    return method


def _item(variant: str, seed: int, method: Any, ticket: int) -> Row:
    return {"variant": variant, "seed": seed, "method": method, "ticket": ticket}
