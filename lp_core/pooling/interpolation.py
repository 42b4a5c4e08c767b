"""Weight interpolation of two tickets, pruned back to a density (Lottery Pools, equation 1)."""

from torch import Tensor

from lp_core.errors import InputError
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket


def interpolate(a: Ticket, b: Ticket, alpha: float, keep: int) -> Ticket:
    """What `lp_core.pooling.interpolate` says, of tickets that were checked.

    A search calls this thousands of times, so it looks at no number of theirs. Raises InputError
    where the tickets' tensors differ in names or shapes, where alpha is not between 0 and 1, and
    where `keep` is negative or above the number of prunable weights.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}; it must lie between 0 and 1")
    _require_alike(a, b)
    weights = {
        name: _weighted_sum(weight, b.weights[name], alpha) for name, weight in a.weights.items()
    }
    buffers = {
        name: _weighted_sum(buffer, b.buffers[name], alpha)
        if buffer.is_floating_point()
        else buffer
        for name, buffer in a.buffers.items()
    }
    meta = a.meta | {"batch_norm": "averaged"}
    return prune(Ticket(weights, a.mask, buffers, meta), keep)


def prune(ticket: Ticket, keep: int) -> Ticket:
    """The ticket with only its `keep` largest prunable weights left.

    Raises InputError where `keep` is negative or above the number of prunable weights.
    """
    mask = magnitude_mask({name: ticket.weights[name] for name in ticket.mask}, keep)
    # where(), not a product: NaN · 0 is NaN, and a pruned weight is zero.
    pruned = {name: ticket.weights[name].where(kept, 0.0) for name, kept in mask.items()}
    return Ticket(ticket.weights | pruned, mask, ticket.buffers, ticket.meta)


def _weighted_sum(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return a.mul(alpha).add_(b, alpha=1 - alpha)


def _require_alike(a: Ticket, b: Ticket) -> None:
    shapes_a, shapes_b = _shapes(a), _shapes(b)
    differing = {n for n in shapes_a | shapes_b if shapes_a.get(n) != shapes_b.get(n)}
    if differing:
        name = min(differing)
        shape_a, shape_b = shapes_a.get(name, "none"), shapes_b.get(name, "none")
        raise InputError(
            f"the tickets are of different networks: {len(differing)} tensors differ in name or "
            f"shape, such as {name} ({shape_a} and {shape_b}); give two of one architecture"
        )


def _shapes(ticket: Ticket) -> dict[str, tuple[int, ...]]:
    tensors = ticket.weights | ticket.buffers
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
