"""What params.yaml lists of Sup-tickets: sparse trainings, and how each of them ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

from tasks.kit.params import Params
from tasks.kit.rows import Row, RowsFile


@dataclass(frozen=True)
class ListedEndings:
    """The trainings of an experiment by their variants, seeds and methods, and their endings.

    endings: of each method, in the order of the params. corrupted: endings that are measured on
    corrupted images, too. ensembles: methods of which all seeds are compared. efficient: networks
    of several members. siblings: methods whose tickets, ended by `sibling`, join the pools of
    `tickets`.
    """

    variants: list[str]
    seeds: list[int]
    endings: dict[str, list[str]]
    corrupted: list[str]
    ensembles: list[str]
    efficient: list[str]
    siblings: list[str]
    sibling: str
    pool: str

    @classmethod
    def read(cls, params: Params) -> "ListedEndings":
        """Raises ParamsError for a value of another kind."""
        endings = params.section("sup_tickets.endings", list[str])
        ablated = params.section("sup_tickets.ablated", list[str])
        ablations = params.section("sup_tickets.ablations", list[str])
        methods = params.section("sup_tickets.methods", list[str])
        return cls(
            variants=params.section("sup_tickets.variants", list[str]),
            seeds=params.section("seeds", list[int]),
            endings={m: [*endings, *(ablations if m in ablated else [])] for m in methods},
            corrupted=params.section("sup_tickets.corrupted", list[str]),
            ensembles=params.section("sup_tickets.ensembles", list[str]),
            efficient=params.section("sup_tickets.efficient_ensembles", list[str]),
            siblings=params.section("sup_tickets.siblings.methods", list[str]),
            sibling=params.section("sup_tickets.siblings.ending", str),
            pool=params.section("sup_tickets.siblings.pool", str),
        )

    @staticmethod
    def is_of(head: Row) -> bool:
        """Whether a rows file with this head is this flow's."""
        return "ending" in head or "name" in head

    def has(self, file: RowsFile) -> bool:
        """Whether everything that the head of a rows file names is listed."""
        head = file.head
        if head["variant"] not in self.variants:
            return False
        if "name" in head:
            return head["name"] in self.efficient
        if "pool" in head:
            listed = (self.siblings, self.sibling, self.pool)
            return head["method"] in listed[0] and (head["ending"], head["pool"]) == listed[1:]
        if head["stage"] == "seeds_ensemble":
            return head["method"] in self.ensembles
        if "ood" in file.tables and head["ending"] not in self.corrupted:
            return False
        return head["ending"] in [None, *self.endings.get(head["method"], [])] and (
            head["method"] in self.endings
        )

    def position(self, head: Row) -> tuple[int, ...]:
        """Where the rows of a listed file stand among those of its variant and seed."""
        if "name" in head:
            return len(self.endings), self.efficient.index(head["name"])
        method, ending = head["method"], head["ending"]
        place = self.endings[method].index(ending) if ending else -1
        return list(self.endings).index(method), place

    def items(self) -> dict[str, Iterable[Row]]:
        """By table, what it must have rows of.

        A run that diverged before it had its cheap tickets has none of their rows.
        """
        ended = self._items((m, e) for m, endings in self.endings.items() for e in endings)
        begun = self._items((method, None) for method in self.endings)
        others = len(self.seeds) > 1
        return {
            "curves": begun,
            "sup_tickets": ended,
            "layer_density": [*begun, *ended],
            "ood": self._items(product(self.endings, self.corrupted)),
            "siblings": self._items((method, self.sibling) for method in self.siblings),
            "diversity": [
                *self._items([(m, "plain") for m in self.ensembles if others], kind="seeds"),
                *(i for name in self.efficient for i in self._items([(None, None)], kind=name)),
            ],
        }

    def item(self, table: str, row: Row) -> Row | None:
        """What a row is of; None for another flow's, and for what a run that diverged lacks."""
        if table == "ood" and row["ending"] is None:
            return None
        if table == "curves" and (row["method"] not in self.endings or row["ending"]):
            return None
        if table == "diversity" and row["kind"] == "cheap":
            return None
        kind = {"kind": row["kind"]} if table == "diversity" else {}
        whose = {column: row[column] for column in ("variant", "seed", "method", "ending")}
        return whose | kind

    def _items(
        self, endings: Iterable[tuple[str | None, str | None]], **more: str
    ) -> list[dict[str, Any]]:
        return [
            {"variant": variant, "seed": seed, "method": method, "ending": ending, **more}
            for variant, seed, (method, ending) in product(self.variants, self.seeds, endings)
        ]
