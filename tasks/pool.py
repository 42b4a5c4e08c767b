"""Stage `pool`: pool every ticket with its siblings by one method (Algorithms 2 and 3).

The held-out split decides; the test split is only reported on, after the search is over. Siblings
are the tickets whose training converged; one that did not is a target all the same.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, overload

from lp_core.analysis.masks import compare_masks
from lp_core.data.augment_spec import AugmentSpec
from lp_core.pooling.averaging import ema, swa
from lp_core.pooling.choosing import best_of_all, successive_halving
from lp_core.pooling.greedy import PoolResult, nearest, search
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.preparing import prepare
from lp_core.pooling.soups import greedy_soup, uniform_soup
from lp_core.pooling.spec import MethodSpec, PoolSpec
from lp_core.seeds import noise_seed
from lp_core.tickets import Ticket
from tasks.kit import paths
from tasks.kit.bench import Network, siblings
from tasks.kit.cli import progress, run
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows

# What a pooled ticket has in common with its target; accuracies, say, are its own.
_LINEAGE = ("dataset", "model", "variant", "init_seed", "noise_seed", "ticket")


def main(arguments: Namespace) -> None:
    """Pool each ticket in turn as the target, and keep the whole trace of the search."""
    variant, seed, name = arguments.variant, arguments.seed, arguments.method
    params = Params(variant)
    spec = params.section("pool", PoolSpec)
    method = params.section(f"methods.{name}", MethodSpec)
    network = Network(params)
    augment = params.section("train.augment", AugmentSpec)
    drawn = noise_seed(seed, None, 0)
    held_out = prepare(network.model, network.dataset, spec, augment, drawn, network.compute)

    def load(number: int) -> Ticket:
        return network.load(paths.ticket(variant, seed, number))

    candidates = siblings(variant, seed, network.numbers)
    pools: list[dict[str, Any]] = []
    trace: list[dict[str, Any]] = []
    layers: list[dict[str, Any]] = []
    for number in progress(network.numbers, f"pool@{variant}-{seed}-{name}"):
        tickets = _Tickets([number, *nearest(number, candidates, method.candidates)], load)
        result = _pool(method, spec, held_out, tickets)
        ticket = held_out.finish(result.ticket)
        lineage = {key: value for key, value in ticket.meta.items() if key in _LINEAGE}
        ticket.meta = lineage | {
            "method": name,
            "members": result.members,
            "density": ticket.density,
            "batch_norm": ticket.meta.get("batch_norm", "trained"),
        }
        ticket.save(paths.pooled(variant, seed, name, number))
        about = {"method": name, "ticket": number}
        for split in ("val", "test"):
            row = about | {"density": ticket.density, "split": split}
            pools.append(
                row | asdict(network.scores(ticket, split)) | {"members": len(result.members)}
            )
        trace += [about | asdict(step) for step in result.trace]
        # Read again: during the search its weights would have been a copy more.
        moved = compare_masks(load(number).mask, ticket.mask)
        layers += [about | asdict(layer) for layer in moved]
        del result, ticket  # before the next search begins
    found = {"pools": pools, "pool_search": trace, "layers": layers}
    found["stages"] = [provenance("pool", name, network.compute)]
    write_rows(paths.rows("pool", variant, seed, name), found)


class _Tickets(Sequence[Ticket]):
    """Tickets in the order of their numbers, each loaded when it is asked for and kept nowhere."""

    def __init__(self, numbers: Sequence[int], load: Callable[[int], Ticket]) -> None:
        self.numbers = numbers
        self.load = load

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Ticket: ...

    @overload
    def __getitem__(self, index: slice) -> "_Tickets": ...

    def __getitem__(self, index: int | slice) -> "Ticket | _Tickets":
        if isinstance(index, slice):
            return _Tickets(self.numbers[index], self.load)
        return self.load(self.numbers[index])


def _pool(method: MethodSpec, spec: PoolSpec, held_out: HeldOut, tickets: _Tickets) -> PoolResult:
    """tickets: the target, then its siblings, nearest first.

    The target goes straight from its file into the call: whoever held it on the way (a variable,
    a `partial`) would hold a copy of the weights throughout the search.
    """
    others = tickets[1:]
    if method.recipe == "swa":
        return swa(tickets[0], others)
    if method.recipe == "ema":
        return ema(tickets[0], others, method.decay)
    if method.recipe == "uniform-soup":
        return uniform_soup(tickets[0], tickets)
    if method.recipe == "greedy-soup":
        return greedy_soup(tickets[0], tickets, held_out)
    choose = successive_halving if spec.search == "halving" else best_of_all
    return search(tickets[0], others, method.coefficients, held_out, method.prune, choose)


if __name__ == "__main__":
    run(main, "variant", "seed", "method")
