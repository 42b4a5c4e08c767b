"""Lottery Pools on a network and images of one's own: every ticket pooled with its siblings."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.errors import InputError, kind
from lp_core.faces import name_of
from lp_core.interchange import from_state_dict, require_network
from lp_core.pooling.given import held_out_of, require_finite
from lp_core.pooling.recipe import Recipe
from lp_core.pooling.recipes.search import Search
from lp_core.pooling.result import PoolResult
from lp_core.pooling.spec import ScoringSpec
from lp_core.pooling.target import pool_target
from lp_core.tickets import Ticket

_CPU = torch.device("cpu")


def pool(
    tickets: Iterable[Ticket],
    network: nn.Module,
    validation: Iterable[Any],
    calibration: Iterable[Any] | None = None,
    *,
    recipe: Recipe | None = None,
    scoring: ScoringSpec | None = None,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
) -> list[PoolResult]:
    """Each ticket pooled with the others (Lottery Pools, Algorithms 2 and 3), in the order given.

    What the stage `pool` does: of equal tickets and images it makes equal pooled tickets.

    tickets: of one run, at least two, in any order. They are numbered by `meta["ticket"]` where
    each has a number of its own, otherwise by density, the densest 0; the nearest numbers are tried
    first. One whose meta says `converged: False` is nobody's sibling.
    network: of their architecture, of any class, its weights float32; it maps images to logits. Its
    device is the one that is computed on. It is not changed.
    validation: batches (images, labels) of held-out images, such as a DataLoader: images float
    B×C×H×W, normalised as the network wants them; labels whole numbers B. Read once, and kept on
    the device as float32. Never test images.
    calibration: batches of training images, or of (images, labels), prepared likewise, on which the
    batch norm of interpolated networks is re-estimated; so many batches are read as hold
    `scoring.calibration_images`. None averages the statistics, which costs accuracy.
    recipe: the way to pool; by default `Search`, with Lottery Pools' own coefficients.
    scoring: see `ScoringSpec`. precision: see `ComputeSpec`.

    A result has the pooled ticket, on the CPU, and the trace of what was tried. The pooled ticket
    has as many prunable weights as its target; its meta says `method`, `members`, and whose
    batch-norm statistics it has.

    Raises InputError, in one line, for fewer than two tickets, equal ones, tickets of another
    network or pruned in other layers; for no images, images that the network does not take or that
    are not finite, and labels that are not numbers of its classes; for a network that changes its
    images in place, or has logits or statistics that are not finite.
    """
    require_network(network)
    _require_float32(network)
    if isinstance(tickets, Ticket) or not isinstance(tickets, Iterable):
        raise InputError(f"tickets is {kind(tickets)}; give a list of tickets")
    recipe = Search() if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        raise InputError(
            f"recipe is {kind(recipe)}; give one of a recipe's class, such as Search()"
        )
    scoring = ScoringSpec() if scoring is None else scoring
    if not isinstance(scoring, ScoringSpec):
        raise InputError(f"scoring is {kind(scoring)}; give a ScoringSpec")
    model = copy.deepcopy(network)
    fitted = _alike([*_fitted(tickets, model)])
    _require_different(fitted)
    numbers = _numbers(fitted)
    by_number = {
        number: replace(ticket, meta=ticket.meta | {"ticket": number})
        for number, ticket in zip(numbers, fitted, strict=True)
    }
    siblings = [n for n in sorted(numbers) if by_number[n].meta.get("converged", True)]
    with _switches_restored():
        compute = Compute(ComputeSpec(_device(model), precision))
        score = held_out_of(model, validation, calibration, scoring, compute)
        require_finite(score, fitted)
        method = name_of(type(recipe))
        results = []
        for number in numbers:
            result = pool_target(
                number, siblings, by_number.__getitem__, recipe, score, method, score.compute
            )
            ticket = result.ticket.to(_CPU, torch.contiguous_format)
            results.append(replace(result, ticket=ticket))
    return results


def _require_float32(network: nn.Module) -> None:
    for name, weight in network.named_parameters():
        if weight.dtype != torch.float32:
            raise InputError(
                f"the network has {name} of {weight.dtype}, and pooling computes with float32; "
                "give network.float(), and tickets of such weights"
            )


def _fitted(tickets: Iterable[Ticket], model: nn.Module) -> Iterator[Ticket]:
    """The tickets with the network's own names, order and types."""
    for position, ticket in enumerate(tickets):
        if not isinstance(ticket, Ticket):
            raise InputError(
                f"tickets has a {type(ticket).__name__} at {position}; make it a ticket with "
                "Ticket.from_state_dict"
            )
        try:
            yield replace(
                from_state_dict(ticket.state_dict(), ticket.mask or None, model, ticket.meta),
                name=ticket.name,
            )
        except InputError as error:
            named = ticket.name != Ticket({}, {}).name
            raise InputError(
                f"{ticket.name if named else f'tickets[{position}]'}: {error}"
            ) from error


def _alike(tickets: Sequence[Ticket]) -> list[Ticket]:
    """The tickets, all with masks of the same weights.

    A dense network does not show which of its layers are pruned later: it takes over what the
    others say. Raises InputError where these do not agree, and for fewer than two tickets.
    """
    if len(tickets) < 2:
        raise InputError(f"there are {len(tickets)} tickets; pooling takes at least two of a run")
    sparse = [i for i, ticket in enumerate(tickets) if ticket.kept < ticket.prunable]
    names = list(tickets[sparse[0] if sparse else 0].mask)
    for i in sparse:
        if other := set(tickets[i].mask) ^ set(names):
            raise InputError(
                f"tickets[{sparse[0]}] and tickets[{i}] are pruned in different layers, such as "
                f"{min(other)}; give each a mask of the same weights, ones where a layer is whole"
            )
    return [
        ticket
        if ticket.kept < ticket.prunable
        else replace(
            ticket, mask={n: torch.ones_like(ticket.weights[n], dtype=torch.bool) for n in names}
        )
        for ticket in tickets
    ]


def _require_different(tickets: Sequence[Ticket]) -> None:
    """Raises InputError where two are equal: one counted twice weighs twice in every average."""
    seen: dict[str, int] = {}
    for i, ticket in enumerate(tickets):
        if (first := seen.setdefault(ticket.digest, i)) != i:
            raise InputError(f"tickets[{first}] and tickets[{i}] are equal; give each ticket once")


def _numbers(tickets: Sequence[Ticket]) -> list[int]:
    """The number of each: its own, or its place by density."""
    known = [ticket.meta.get("ticket") for ticket in tickets]
    own = [number for number in known if type(number) is int]
    if len(set(own)) == len(known):
        return own
    densest_first = sorted(range(len(tickets)), key=lambda i: -tickets[i].kept)
    return [densest_first.index(i) for i in range(len(tickets))]


def _device(model: nn.Module) -> str:
    devices = {str(tensor.device) for tensor in model.parameters()}
    if len(devices) != 1:
        raise InputError(
            f"the network lies on {', '.join(sorted(devices)) or 'no device'}; put it on one"
        )
    return devices.pop()


@contextmanager
def _switches_restored() -> Iterator[None]:
    """While it lasts, `Compute` may set PyTorch's switches; who calls a library has his own."""
    cudnn = torch.backends.cudnn
    gpu = torch.cuda.current_device() if torch.cuda.is_initialized() else None
    mode = torch.get_deterministic_debug_mode()
    before = (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32)
    filling = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = before
        torch.utils.deterministic.fill_uninitialized_memory = filling  # type: ignore[attr-defined]
        if gpu is not None:
            torch.cuda.set_device(gpu)
