import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.pooling.interpolation import interpolate, prune
from lp_core.tickets import Ticket
from tests.lp_core.strategies import PRUNABLE, nonzero, state, tickets

pairs = st.tuples(tickets(finite=True), tickets(finite=True))


@settings(deadline=None, max_examples=80)
@given(pair=pairs, alpha=st.floats(0, 1), data=st.data())
def test_weights_are_mixed_and_pruned_back(pair, alpha, data):
    a, b = pair
    keep = data.draw(st.integers(0, a.prunable))
    before = state(a), state(b)
    mixed = interpolate(a, b, alpha, keep)
    assert (state(a), state(b)) == before
    assert mixed.kept == keep
    assert nonzero(mixed) <= keep
    for name, weight in mixed.weights.items():
        exact = alpha * a.weights[name].double() + (1 - alpha) * b.weights[name].double()
        if name in PRUNABLE:
            exact = exact * mixed.mask[name]
        torch.testing.assert_close(weight.double(), exact, atol=1e-5, rtol=1e-5)
    mean = alpha * a.buffers["bn.running_mean"] + (1 - alpha) * b.buffers["bn.running_mean"]
    torch.testing.assert_close(mixed.buffers["bn.running_mean"], mean, atol=1e-5, rtol=1e-5)
    counter = "bn.num_batches_tracked"
    assert torch.equal(mixed.buffers[counter], a.buffers[counter])
    assert mixed.meta["batch_norm"] == "averaged"
    assert list(mixed.weights) == list(a.weights)


@settings(deadline=None, max_examples=40)
@given(pair=st.tuples(tickets(grid=True), tickets(grid=True)), alpha=st.sampled_from([0.25, 0.5]))
def test_what_survives_are_the_largest_of_the_mixture(pair, alpha):
    a, b = pair
    mixed = interpolate(a, b, alpha, a.kept)
    exact = {n: alpha * a.weights[n] + (1 - alpha) * b.weights[n] for n in a.mask}
    kept = torch.cat([exact[n][mixed.mask[n]].abs() for n in a.mask])
    gone = torch.cat([exact[n][~mixed.mask[n]].abs() for n in a.mask])
    assert len(gone) == 0 or gone.max() <= kept.min()


@settings(deadline=None, max_examples=40)
@given(pair=pairs)
def test_all_of_one_parent_is_that_parent(pair):
    a, b = pair
    for alpha, parent in ((1.0, a), (0.0, b)):
        same = interpolate(a, b, alpha, parent.kept)
        assert all(torch.equal(same.weights[n], parent.weights[n]) for n in parent.weights)
        mean = "bn.running_mean"
        assert torch.equal(same.buffers[mean], parent.buffers[mean])


@settings(deadline=None, max_examples=30)
@given(pair=pairs, alpha=st.floats(0, 1))
def test_the_layout_changes_no_number(pair, alpha):
    a, b = pair
    c, d = (t.to(torch.device("cpu"), torch.channels_last) for t in pair)
    plain, other = interpolate(a, b, alpha, a.kept), interpolate(c, d, alpha, a.kept)
    assert state(plain) == state(other)


def test_a_diverged_sibling_leaves_no_more_weights_than_asked_for():
    mask = {"w": torch.tensor([True, True, False, False])}
    a = Ticket({"w": torch.tensor([1.0, 2.0, 0.0, 0.0])}, mask)
    b = Ticket({"w": torch.tensor([float("nan"), 1.0, float("nan"), 0.0])}, mask)
    mixed = interpolate(a, b, 0.5, 2)
    assert nonzero(mixed) <= 2


@settings(deadline=None, max_examples=40)
@given(ticket=tickets(), data=st.data())
def test_pruning_keeps_the_rest_as_it_is(ticket, data):
    keep = data.draw(st.integers(0, ticket.kept))
    before = state(ticket)
    pruned = prune(ticket, keep)
    assert state(ticket) == before
    assert pruned.kept == keep
    assert nonzero(pruned) <= keep
    assert torch.equal(pruned.weights["bias"].isnan(), ticket.weights["bias"].isnan())
    for name, mask in pruned.mask.items():
        torch.testing.assert_close(
            pruned.weights[name][mask], ticket.weights[name][mask], rtol=0, atol=0, equal_nan=True
        )
        assert not pruned.weights[name][~mask].any()


@settings(deadline=None, max_examples=40)
@given(pair=pairs, alpha=st.floats(0, 1), data=st.data())
def test_a_mixture_lies_in_memory_as_its_parents_do(pair, alpha, data):
    layout = data.draw(st.sampled_from([torch.channels_last, torch.contiguous_format]))
    a, b = (t.to(torch.device("cpu"), layout) for t in pair)
    for keep in (data.draw(st.integers(0, a.prunable)), a.prunable):
        mixed = interpolate(a, b, alpha, keep)
        for ticket in (mixed, prune(mixed, keep // 2)):
            for name, weight in ticket.weights.items():
                assert weight.stride() == a.weights[name].stride()
            # What evaluates it in that layout copies nothing.
            placed = ticket.to(torch.device("cpu"), layout)
            assert all(placed.weights[n] is weight for n, weight in ticket.weights.items())


@settings(deadline=None, max_examples=40)
@given(pair=pairs, data=st.data())
def test_tickets_whose_tensors_differ_in_name_or_shape_are_refused(pair, data):
    """Shapes that would broadcast to one another, too."""
    a, b = pair
    part = data.draw(st.sampled_from([b.weights, b.buffers]))
    name = data.draw(st.sampled_from(sorted(part)))
    tensor = part.pop(name)
    change = data.draw(st.sampled_from(["removed", "renamed", "broadcast"]))
    if change == "renamed":
        part[f"{name}.other"] = tensor
    elif change == "broadcast":
        part[name] = tensor[:1] if tensor.ndim else tensor[None]
    first, second = data.draw(st.permutations([a, b]))
    with pytest.raises(ValueError, match=f"tensors differ in name or shape, such as {name}"):
        interpolate(first, second, 0.5, first.kept)


@settings(deadline=None, max_examples=40)
@given(
    pair=pairs,
    alpha=st.floats(max_value=0, exclude_max=True)
    | st.floats(min_value=1, exclude_min=True)
    | st.just(float("nan")),
)
def test_a_weight_outside_0_to_1_is_an_error(pair, alpha):
    a, b = pair
    with pytest.raises(ValueError, match=r"^alpha is .*between 0 and 1"):
        interpolate(a, b, alpha, 1)
