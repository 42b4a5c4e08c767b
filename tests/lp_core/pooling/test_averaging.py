import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.pooling.greedy import search
from lp_core.pooling.recipes.ema import Ema
from lp_core.pooling.recipes.ema_newcomer import EmaNewcomer
from lp_core.pooling.recipes.swa import Swa
from lp_core.tickets import Ticket
from tests.lp_core.pooling.made_up import Unsliced, random_ticket
from tests.lp_core.strategies import families, state, tickets


def _read(_: Ticket) -> float:
    raise AssertionError("a running average scores nothing")


unread = Unsliced(_read)


dense = st.lists(tickets(finite=True), min_size=1, max_size=6)


def _unpruned(family: list[Ticket]) -> list[Ticket]:
    full = {n: torch.ones_like(m) for n, m in family[0].mask.items()}
    return [Ticket(t.weights, full, t.buffers, {"ticket": i}) for i, t in enumerate(family)]


@settings(deadline=None, max_examples=50)
@given(family=dense.map(_unpruned))
def test_swa_of_dense_tickets_is_their_plain_mean(family):
    result = Swa().pool(family[0], family[1:], unread)
    for name, weight in result.ticket.weights.items():
        mean = np.mean([t.weights[name].double().numpy() for t in family], axis=0)
        np.testing.assert_allclose(weight.numpy(), mean, atol=1e-5)
    mean = np.mean([t.buffers["bn.running_mean"].double().numpy() for t in family], axis=0)
    np.testing.assert_allclose(result.ticket.buffers["bn.running_mean"].numpy(), mean, atol=1e-5)


@settings(deadline=None, max_examples=50)
@given(family=dense.map(_unpruned), decay=st.floats(0, 1))
def test_ema_of_dense_tickets_weighs_the_past_by_powers_of_the_decay(family, decay):
    result = Ema(decay=decay).pool(family[0], family[1:], unread)
    last = len(family) - 1
    shares = [decay**last, *((1 - decay) * decay ** (last - n) for n in range(1, last + 1))]
    assert abs(sum(shares) - 1) < 1e-9
    for name, weight in result.ticket.weights.items():
        parts = [s * t.weights[name].double().numpy() for s, t in zip(shares, family, strict=True)]
        np.testing.assert_allclose(weight.numpy(), np.sum(parts, axis=0), atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(family=families(), weight=st.floats(0, 1))
def test_to_weigh_the_newcomer_is_to_let_the_average_decay(family, weight):
    target, *candidates = family
    newcomer = EmaNewcomer(weight=weight).pool(target, candidates, unread)
    average = Ema(decay=1 - weight).pool(target, candidates, unread)
    assert state(newcomer.ticket) == state(average.ticket)


def test_only_with_the_weight_on_the_newcomer_does_the_last_one_decide():
    """As the paper's EMA numbers have it: at 16.8% density that of the dense ticket, pruned."""
    family = [random_ticket(seed, 1.0) for seed in range(5)]
    for recipe, expected in ((EmaNewcomer(), 4), (Ema(), 0)):
        pooled = recipe.pool(family[0], family[1:], unread).ticket.weights["conv"]
        away = [(pooled - ticket.weights["conv"]).norm().item() for ticket in family]
        assert away.index(min(away)) == expected


@settings(deadline=None, max_examples=30)
@given(family=families())
def test_the_baselines_take_every_candidate_in_order_and_score_nothing(family):
    target, *candidates = family
    for result, weights in (
        (Swa().pool(target, candidates, unread), [n / (n + 1) for n in range(1, len(family))]),
        (Ema().pool(target, candidates, unread), [0.95] * len(candidates)),
        (EmaNewcomer().pool(target, candidates, unread), [1 - 0.95] * len(candidates)),
    ):
        assert result.members == [ticket.meta["ticket"] for ticket in family]
        assert [step.coefficient for step in result.trace] == weights
        assert [step.step for step in result.trace] == list(range(1, len(family)))
        assert all(step.val_accuracy is None and step.images == 0 for step in result.trace)


@settings(deadline=None, max_examples=30)
@given(family=families(most=1))
def test_the_first_step_of_swa_is_the_average_pruned_to_the_target(family):
    target, *candidates = family
    averaged = search(target, candidates, [0.5], lambda _: 1.0)
    assert state(Swa().pool(target, candidates, unread).ticket) == state(averaged.ticket)
