"""CIA, CAA and CIMA are what section 3.2.2 of Sup-tickets says, step by step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.errors import InputError
from lp_core.pooling.by_hand import superpose
from lp_core.pooling.superposition import Method, Superposition
from lp_core.tickets import Ticket
from tests.lp_core.pooling.made_up import SHAPE, random_ticket
from tests.lp_core.strategies import PRUNABLE, nonzero, state, tickets

METHODS: list[Method] = ["cia", "caa", "cima"]
BETA = 0.7

Weights = dict[str, np.ndarray]


@st.composite
def cheap_tickets(draw: st.DrawFn) -> list[Ticket]:
    """Without ties, since means of three in single and in double precision break them apart."""
    made = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        ticket = draw(tickets(finite=True))
        generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
        weights = {
            name: weight + 0.1 * torch.randn(weight.shape, generator=generator)
            for name, weight in ticket.weights.items()
        }
        mask = {name: ticket.mask[name] for name in PRUNABLE}
        weights |= {name: weights[name].where(kept, 0.0) for name, kept in mask.items()}
        variance = ticket.buffers["bn.running_mean"].square() + 0.1
        buffers = ticket.buffers | {"bn.running_var": variance}
        made.append(Ticket(weights, mask, buffers, {"ticket": number}))
    return made


def pruned(weights: Weights, prunable: list[str], keep: int) -> Weights:
    """MagnitudePruning of Algorithm 1, line 11: one connection after another, the largest first."""
    order = sorted(
        (-abs(weights[name].flat[i]), n, i)
        for n, name in enumerate(prunable)
        for i in range(weights[name].size)
    )
    result = {name: np.zeros_like(w) if name in prunable else w for name, w in weights.items()}
    for _, n, i in order[:keep]:
        result[prunable[n]].flat[i] = weights[prunable[n]].flat[i]
    return result


def plain(sequence: list[Ticket], method: str, keep: int) -> Weights:
    """Equation 4 and its kin in double precision, with a count for every connection."""
    prunable = list(sequence[0].mask)
    average: Weights = {}
    counts = {name: np.zeros(sequence[0].weights[name].shape) for name in prunable}
    for t, ticket in enumerate(sequence, start=1):
        theta = {name: w.double().numpy() for name, w in ticket.weights.items()}
        masks = {name: mask.numpy() for name, mask in ticket.mask.items()}
        if t == 1:
            average = theta if ticket.kept == keep else pruned(theta, prunable, keep)
        else:
            mixed: Weights = {}
            for name, new in theta.items():
                old = average[name]
                if method == "cima":
                    mixed[name] = BETA * old + (1 - BETA) * new
                elif method == "caa" and name in prunable:
                    n = counts[name]
                    mixed[name] = np.where(masks[name], (n * old + new) / (n + 1), old)
                else:
                    mixed[name] = ((t - 1) * old + new) / t
            average = pruned(mixed, prunable, keep)
        for name in prunable:
            counts[name] += masks[name]
    return average


@settings(deadline=None)
@given(cheap_tickets(), st.sampled_from(METHODS), st.floats(0.1, 1))
def test_a_superposed_ticket_is_that_of_the_equations(sequence, method, share):
    keep = max(1, round(share * sequence[0].kept))
    superposed = superpose(sequence, method, keep, BETA)
    expected = plain(sequence, method, keep)
    assert superposed.kept == keep
    for name, weights in superposed.weights.items():
        np.testing.assert_allclose(weights.numpy(), expected[name], atol=1e-5)
    for name, mask in superposed.mask.items():
        assert not superposed.weights[name][~mask].any()


@settings(deadline=None)
@given(cheap_tickets(), st.sampled_from(METHODS))
def test_statistics_are_means_of_means_and_of_standard_deviations(sequence, method):
    superposed = superpose(sequence, method, sequence[0].kept, BETA)
    means = [t.buffers["bn.running_mean"].double() for t in sequence]
    deviations = [t.buffers["bn.running_var"].double().sqrt() for t in sequence]
    if method == "cima":
        mean, deviation = means[0], deviations[0]
        for m, d in zip(means[1:], deviations[1:], strict=True):
            mean, deviation = BETA * mean + (1 - BETA) * m, BETA * deviation + (1 - BETA) * d
    else:
        mean, deviation = torch.stack(means).mean(0), torch.stack(deviations).mean(0)
    found = superposed.buffers
    assert torch.allclose(found["bn.running_mean"].double(), mean, atol=1e-5)
    assert torch.allclose(found["bn.running_var"].double().sqrt(), deviation, atol=1e-5)
    said = superposed.meta.get("batch_norm", "trained")
    assert said == ("trained" if len(sequence) == 1 else "averaged")


def _layer(*weights: float) -> Ticket:
    tensor = torch.tensor(weights)
    return Ticket({"fc": tensor}, {"fc": tensor != 0}, {}, {})


def test_a_connection_that_one_ticket_alone_has_counts_half_in_cia_and_wholly_in_caa():
    sequence = [_layer(3.0, 0.0, 1.0, 3.0), _layer(0.0, 4.0, 1.0, 3.0)]
    assert superpose(sequence, "cia", 2).weights["fc"].tolist() == [0.0, 2.0, 0.0, 3.0]
    assert superpose(sequence, "caa", 2).weights["fc"].tolist() == [3.0, 4.0, 0.0, 0.0]
    assert superpose(sequence, "cima", 2, 0.75).weights["fc"].tolist() == [2.25, 0.0, 0.0, 3.0]


def test_a_connection_aware_average_goes_on_counting_what_was_pruned_away():
    """Active in all three tickets, it was pruned from the average of two: (2 · 0 + 9) / 3."""
    sequence = [_layer(1.0, 4.0), _layer(1.0, 4.0), _layer(9.0, 1.0)]
    superposed = superpose(sequence, "caa", 1)
    assert superposed.weights["fc"].tolist() == [3.0, 0.0]


def test_of_equal_tickets_every_average_is_that_ticket():
    ticket = random_ticket(1, 0.3)
    for method in METHODS:
        superposed = superpose([ticket] * 4, method, ticket.kept)
        assert torch.equal(superposed.mask["conv"], ticket.mask["conv"])
        assert torch.allclose(superposed.weights["conv"], ticket.weights["conv"])


@pytest.mark.parametrize("method", METHODS)
def test_the_first_ticket_is_taken_as_it_is(method):
    """Even where a kept weight is zero still, as one that has just been grown."""
    weights = torch.tensor([0.0, 0.0, 2.0])
    ticket = Ticket({"fc": weights}, {"fc": torch.tensor([False, True, True])}, {}, {"ticket": 1})
    assert superpose([ticket], method, 2) is ticket


@settings(deadline=None)
@given(cheap_tickets(), st.sampled_from(METHODS), st.integers(0, 5))
def test_an_average_that_was_saved_half_way_goes_on_bit_for_bit(sequence, method, half):
    whole, first = (Superposition(method, sequence[0].kept, BETA) for _ in range(2))
    for ticket in sequence:
        whole.add(ticket)
    for ticket in sequence[:half]:
        first.add(ticket)
    second = Superposition(method, sequence[0].kept, BETA)
    second.load_state_dict(_saved(first.state_dict()))
    for ticket in sequence[half:]:
        second.add(ticket)
    assert state(second.ticket) == state(whole.ticket)
    assert second.number == whole.number == len(sequence)


def _saved(states: dict[str, Any]) -> dict[str, Any]:
    return {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in states.items()}


@settings(deadline=None)
@given(cheap_tickets(), st.sampled_from(METHODS))
def test_tickets_are_left_as_they_were(sequence, method):
    before = [state(ticket) for ticket in sequence]
    superposed = superpose(iter(sequence), method, sequence[0].kept)
    assert [state(ticket) for ticket in sequence] == before
    assert nonzero(superposed) <= sequence[0].kept


@pytest.mark.parametrize("method", METHODS)
def test_however_many_tickets_there_is_one_average(method, weights_alive: Callable[[], int]):
    """Beside the average so far there is the newcomer, and for a moment the average to come."""
    running = Superposition(method, keep=100)
    most = 0
    for number in range(8):
        running.add(random_ticket(number, 0.4))
        most = max(most, weights_alive())
    assert most == 1
    assert running.ticket.weights["conv"].shape == SHAPE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tickets": []}, "there are no tickets to superpose"),
        ({"method": "mean"}, "method is 'mean'; it can be one of cia, caa, cima"),
        ({"beta": 1.5}, "beta is 1.5; it must lie between 0 and 1"),
        ({"keep": 9}, "keep is 9; there are 2 prunable weights"),
        ({"tickets": [_layer(1.0, 2.0), _layer(1.0)]}, "the tickets are of different networks"),
    ],
)
def test_what_cannot_be_superposed_is_refused(arguments, message):
    right = {"tickets": [_layer(1.0, 2.0), _layer(2.0, 0.0)], "method": "cia", "keep": 1}
    with pytest.raises(InputError, match=message):
        superpose(**(right | arguments))
