import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.sparsity.rounds import next_mask
from lp_core.tickets import Ticket
from tests.lp_core.strategies import state, tickets


def _flat(mask: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([m.flatten() for m in mask.values()])


@settings(deadline=None, max_examples=100)
@given(parent=tickets(), fraction=st.floats(0.01, 0.99))
def test_a_round_removes_its_share_of_what_is_left(parent, fraction):
    before = state(parent)
    mask = next_mask(parent, fraction)
    assert int(_flat(mask).sum()) == max(1, parent.kept - round(fraction * parent.kept))
    assert not (_flat(mask) & ~_flat(parent.mask)).any(), "a pruned weight came back"
    assert list(mask) == list(parent.mask)
    assert state(parent) == before


@settings(deadline=None, max_examples=50)
@given(parent=tickets(finite=True), fraction=st.floats(0.01, 0.99))
def test_a_round_removes_the_smallest(parent, fraction):
    mask = _flat(next_mask(parent, fraction))
    magnitude = torch.cat([parent.weights[n].abs().flatten() for n in parent.mask])
    kept, gone = magnitude[mask], magnitude[_flat(parent.mask) & ~mask]
    assert len(gone) == 0 or gone.max() <= kept.min()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), fraction=st.sampled_from([0.2, 0.5]))
def test_a_chain_of_rounds_has_the_densities_of_the_papers(seed, fraction):
    generator = torch.Generator().manual_seed(seed)
    weights = {name: torch.randn(40, 25, generator=generator) for name in ("a", "b")}
    ticket = Ticket(weights, {n: torch.ones_like(w, dtype=torch.bool) for n, w in weights.items()})
    for number in range(1, 13):
        mask = next_mask(ticket, fraction)
        # Trained again after each round: other weights survive, by other magnitudes.
        weights = {n: torch.randn(40, 25, generator=generator) * m for n, m in mask.items()}
        ticket = Ticket(weights, mask)
        # Each round rounds to a whole weight; what that leaves only shrinks from round to round.
        assert ticket.kept == pytest.approx(2000 * (1 - fraction) ** number, abs=0.5 / fraction)


def test_a_diverged_parent_still_gives_a_nested_mask():
    kept = torch.tensor([True, True, False, True, False])
    for value in (float("nan"), float("inf"), 0.0, 1e-45):
        # Outside the mask too: a NaN in training is not undone by a product with zero.
        parent = Ticket({"w": torch.full((5,), value)}, {"w": kept})
        assert next_mask(parent, 0.34)["w"].tolist() == [True, True, False, False, False]


def test_the_last_weight_stays():
    parent = Ticket({"w": torch.tensor([0.0, 2.0])}, {"w": torch.tensor([False, True])})
    assert next_mask(parent, 0.9)["w"].tolist() == [False, True]
