"""Pooling on a network and loaders that this project does not know."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import eval_batches
from lp_core.data.store import Dataset
from lp_core.errors import InputError
from lp_core.models.structure import prunable
from lp_core.pooling import PoolResult, ScoringSpec, calibration_batches, held_out_for, pool
from lp_core.pooling.recipes import GreedySoup, Search
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.sparsity.rounds import next_mask
from lp_core.tickets import Ticket
from tests.lp_core.pooling.made_up import accepted
from tests.lp_core.strategies import bits, nonzero, state
from tests.lp_core.tiny import images, residual_network

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES, IMAGES = 3, 24


class Own(nn.Module):
    """Its linear layer comes first and its convolutions are wide: nothing that `build` makes."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(6, 6)
        self.conv = nn.Conv2d(2, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(self.mix(x))).relu().mean((2, 3)))


def _images(seed: int, count: int = IMAGES) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    pixels = torch.randn(count, 2, 6, 6, generator=generator) + labels[:, None, None, None]
    return TensorDataset(pixels, labels)


def _loader(seed: int, **settings: Any) -> DataLoader[Any]:
    return DataLoader(_images(seed), **({"batch_size": 8} | settings))


def _trail(count: int = 3) -> list[Ticket]:
    """Tickets of one run, densest first: each trained a little, from where the last one ended."""
    torch.manual_seed(0)
    network, mask, trail = Own(), None, []
    pixels, labels = _images(1).tensors
    for _ in range(count):
        optimiser = torch.optim.SGD(network.parameters(), 0.05)
        for _ in range(4):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(pixels), labels).backward()
            optimiser.step()
        ticket = Ticket.from_state_dict(network.state_dict(), mask, network)
        ticket.load_into(network)
        trail.append(ticket)
        mask = next_mask(ticket, 0.4)
    return trail


@pytest.fixture(scope="module")
def trail() -> list[Ticket]:
    return _trail()


def _pool(trail: list[Ticket], *loaders: Any, **settings: Any) -> list[PoolResult]:
    settings = {"recipe": Search(coefficients=[0.3, 0.7])} | settings
    return pool(trail, Own(), *(loaders or (_loader(2), _loader(1))), precision="fp32", **settings)


def _states(results: list[PoolResult]) -> list[Any]:
    return [(state(result.ticket), result.trace) for result in results]


def test_every_ticket_is_pooled_to_its_own_density(trail):
    results = _pool(trail)
    for number, (ticket, result) in enumerate(zip(trail, results, strict=True)):
        assert result.ticket.kept == ticket.kept == nonzero(result.ticket)
        assert (result.ticket.meta["ticket"], result.ticket.meta["method"]) == (number, "search")
        assert {step.images for step in result.trace} == {IMAGES}
        nearest_first = sorted({0, 1, 2} - {number}, key=lambda i: (abs(i - number), i))
        assert list(dict.fromkeys(step.candidate for step in result.trace)) == nearest_first
        Own().load_state_dict(result.ticket.state_dict())


def test_the_accuracy_that_a_trace_reports_is_the_pooled_networks(trail):
    for result in _pool(trail):
        network = Own()
        result.ticket.load_into(network)
        network.eval()
        pixels, labels = _images(2).tensors
        with torch.no_grad():
            accuracy = (network(pixels).argmax(1) == labels).double().mean().item()
        accepted = [step.val_accuracy for step in result.trace if step.accepted]
        assert not accepted or accepted[-1] == accuracy


def test_the_order_of_the_tickets_changes_the_order_of_the_results_alone(trail):
    expected = _states(_pool(trail))
    shuffled = _states(_pool([trail[2], trail[0], trail[1]]))
    assert [shuffled[1], shuffled[2], shuffled[0]] == expected


def test_numbers_in_the_meta_decide_who_is_near(trail):
    far = [replace(t, meta={"ticket": n}) for t, n in zip(trail, (0, 5, 6), strict=True)]
    results = _pool(far, recipe=Search(coefficients=[0.5], candidates=1))
    assert [result.trace[0].candidate for result in results] == [5, 6, 5]


def test_a_ticket_that_did_not_converge_is_nobodys_sibling(trail):
    diverged = [trail[0], replace(trail[1], meta={"converged": False}), trail[2]]
    tried = [{step.candidate for step in result.trace} for result in _pool(diverged)]
    assert tried == [{2}, {0, 2}, {0}]


def test_a_loader_that_shuffles_or_can_be_read_once_gives_the_same_score(trail):
    """All steps of a search are scored on the same images."""

    def once(loader: DataLoader[Any]) -> Iterator[Any]:
        yield from loader

    expected = _states(_pool(trail))
    assert _states(_pool(trail, once(_loader(2)), once(_loader(1)))) == expected
    torch.manual_seed(3)
    shuffled = _pool(trail, _loader(2, shuffle=True), _loader(1))
    for result in shuffled:
        steps = accepted(result)
        assert steps == sorted(steps)


def test_images_alone_do_for_calibration_and_no_more_are_read_than_asked_for(trail):
    read = []

    def unlabelled() -> Iterator[Tensor]:
        for batch, _ in _loader(1):
            read.append(len(batch))
            yield batch

    scoring = ScoringSpec(calibration_images=10)
    results = _pool(trail, _loader(2), unlabelled(), scoring=scoring)
    assert read == [8, 8]
    assert _states(_pool(trail, _loader(2), _loader(1), scoring=scoring)) == _states(results)


def test_without_calibration_images_the_statistics_are_averaged(trail):
    found = {result.ticket.meta["batch_norm"] for result in _pool(trail, _loader(2))}
    assert found <= {"averaged", "trained"}
    assert "averaged" in found


class Viewing(nn.Module):
    """Flattens with `view`, which takes contiguous tensors alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 5, 3), nn.Linear(80, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().view(len(x), -1))


def test_a_network_that_views_what_it_convolves_is_pooled_as_one_that_reshapes_it():
    trail = [Ticket.from_state_dict(Viewing().state_dict()) for _ in range(2)]
    flat = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, CLASSES))
    names = {"conv": "0", "head": "3"}
    same = [
        Ticket.from_state_dict(
            {n.replace((m := n.split(".")[0]), names[m]): w for n, w in t.state_dict().items()}
        )
        for t in trail
    ]
    settings: dict[str, Any] = {"precision": "fp32", "recipe": Search(coefficients=[0.5])}
    for mine, expected in zip(
        pool(trail, Viewing(), _loader(2), **settings),
        pool(same, flat, _loader(2), **settings),
        strict=True,
    ):
        assert mine.trace == expected.trace
        assert list(bits(mine.ticket.weights).values()) == list(
            bits(expected.ticket.weights).values()
        )


def test_another_recipe_pools_in_its_own_way(trail):
    results = _pool(trail, recipe=GreedySoup())
    assert {result.ticket.meta["method"] for result in results} == {"greedy-soup"}


def test_a_dense_ticket_takes_over_what_the_others_prune():
    """Its zeros cannot tell that the linear layers are pruned later."""
    network, layers = Own(), ("mix", "conv", "head")
    dense = Ticket.from_state_dict(network.state_dict(), network=network)
    assert list(dense.mask) == ["conv.weight"]
    chosen = [(network.get_submodule(name), "weight") for name in layers]
    prune.global_unstructured(chosen, pruning_method=prune.L1Unstructured, amount=0.5)
    sparse = Ticket.from_state_dict(network.state_dict())
    ticket = _pool([dense, sparse])[0].ticket
    assert set(ticket.mask) == {f"{name}.weight" for name in layers}
    assert ticket.density == 1


def test_network_tickets_and_pytorchs_switches_are_left_as_they_were(trail):
    network = Own().train()
    there = bits(network.state_dict())
    before, mode = [state(ticket) for ticket in trail], torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode(0)
    try:
        pool(trail[:2], network, _loader(2), _loader(1))  # with the recipe of the paper
        assert torch.get_deterministic_debug_mode() == 0
    finally:
        torch.set_deterministic_debug_mode(mode)
    assert network.training
    assert all(module.training for module in network.modules())
    assert bits(network.state_dict()) == there
    assert network.conv.weight.is_contiguous()
    assert [state(ticket) for ticket in trail] == before


@pytest.mark.parametrize("search", ["halving", "exact"])
def test_a_large_held_out_set_is_searched_slice_by_slice_as_a_data_sets_is(search):
    """Of 1,200 images coefficients drop out early, on the same images either way."""
    parts = {name: images(n, seed) for seed, (name, n) in enumerate(
        {"train": 64, "val": 1200, "test": 4}.items())}  # fmt: skip
    data = Dataset("noise", list("abcd"), 3, 8, [0.4] * 3, [0.2] * 3, parts)
    spec = ScoringSpec(search=search, calibration_images=64)
    compute = Compute(ComputeSpec("cpu", "fp32"))
    network = residual_network()
    names = prunable(network)
    trail = []
    for number, share in enumerate((1.0, 0.6)):
        with torch.no_grad():
            for i, parameter in enumerate(network.parameters()):
                generator = torch.Generator().manual_seed(100 * number + i)
                parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator))
        weights = {name: network.get_parameter(name) for name in names}
        total = sum(map(torch.numel, weights.values()))
        mask = magnitude_mask(weights, round(share * total))
        trail.append(
            Ticket.from_state_dict(network.state_dict(), mask, network, {"ticket": number})
        )
    augment = AugmentSpec(crop=0, flip=False)
    score = held_out_for(residual_network(), data, spec, augment, 0, compute)
    recipe = Search(coefficients=[0.1, 0.4, 0.7])
    expected = recipe.pool(trail[1], trail[:1], score)
    calibration = calibration_batches(data, 64, augment, 0, compute)
    loader = DataLoader(TensorDataset(*(torch.cat(p) for p in zip(
        *eval_batches(data, "val", 100, "cpu"), strict=True))), batch_size=64)  # fmt: skip
    found = pool(
        trail, network, loader, calibration, recipe=recipe, scoring=spec, precision="fp32"
    )[1]
    assert found.trace == expected.trace
    assert found.ticket.digest == score.calibrate(expected.ticket).digest
    assert (len({step.images for step in found.trace}) > 1) == (search == "halving")


def _changed(batch: Any, place: int, value: Any) -> Any:
    batch = list(batch)
    batch[place] = value
    return batch


_BATCH = next(iter(DataLoader(_images(2), 8)))
_USED_UP: Iterator[Any] = iter(())


@pytest.mark.parametrize(
    ("validation", "told"),
    [
        ([], "validation gives no images; is its data set empty, or is it a generator"),
        (_USED_UP, "validation gives no images"),
        (_images(2), "validation is a TensorDataset; give a DataLoader"),
        (_BATCH[0], "validation is a Tensor; give a DataLoader"),
        ([_BATCH[0]], "validation gives a Tensor; give batches of two tensors"),
        ([{"image": 1, "label": 2}], "validation gives a dict; give batches of two tensors"),
        ([_changed(_BATCH, 0, _BATCH[0].byte())], "images of torch.uint8 and shape 8×2×6×6; give"),
        ([_changed(_BATCH, 0, [1.0])], "validation has images that are a list"),
        ([_changed(_BATCH, 0, _BATCH[0][:, :1, :, :5])], "the network does not take validation's "
         "images of 1×6×5: "),
        ([_BATCH, _changed(_BATCH, 0, _BATCH[0][..., :5])], "has images of 2×6×5, and validation "
         "begins with 2×6×6"),
        ([_changed(_BATCH, 1, _BATCH[1] + 1)], "labels from 1 to 3, but the network tells 3 "
         "classes apart; give labels from 0 to 2"),
        ([_changed(_BATCH, 1, _BATCH[1] - 1)], "labels from -1 to 1, but"),
        ([_changed(_BATCH, 1, _BATCH[1].float())], r"\(torch.float32, 8\) beside 8 images"),
        ([_changed(_BATCH, 1, _BATCH[1][:5])], r"a Tensor \(torch.int64, 5\) beside 8 images"),
        ([_changed(_BATCH, 1, [0, 1, 2])], "labels that are a list beside 8 images"),
        ([_BATCH[0][:2], _BATCH[1][:2]], "validation gives a Tensor"),
        ([_changed(_BATCH, 0, _BATCH[0] / 0)], "pixels that are NaN or infinite as float32; leave"),
        ([_changed(_BATCH, 0, _BATCH[0].double() * 1e200)], "NaN or infinite as float32; leave"),
        ([_changed(_BATCH, 0, _BATCH[0].to_sparse())], "images that are sparse; give dense"),
        ([_changed(_BATCH, 0, _BATCH[0].to("meta"))], "images that are of the meta device; give"),
        ([_changed(_BATCH, 1, _BATCH[1].to("meta"))], "labels that are of the meta device; give"),
        ([_changed(_BATCH, 1, _BATCH[1].to_sparse())], "labels that are sparse; give dense"),
    ],
)  # fmt: skip
def test_validation_that_will_not_do_is_one_clear_line(trail, validation, told):
    with pytest.raises(InputError, match=told) as error:
        _pool(trail, validation, None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("calibration", "told"),
    [
        ([], "calibration gives no images"),
        (_images(1), "calibration is a TensorDataset"),
        ([_BATCH[0][:1]], "calibration has a batch of 1 image, of which"),
        ([_BATCH[0][:0]], "calibration has a batch of 0 images, of which"),
        ([_BATCH[0].double() * 1e200], "calibration has .* NaN or infinite as float32; leave"),
        ([_BATCH[0] * 1e30], r"calibration's images make norm\.running_var NaN or infinite; norm"),
        ([_BATCH[0][..., :5]], "calibration has images of 2×6×5, and validation begins with 2×6×6"),
        (["images"], "calibration has images that are a str"),
    ],
)
def test_calibration_that_will_not_do_is_one_clear_line(trail, calibration, told):
    with pytest.raises(InputError, match=told) as error:
        _pool(trail, _loader(2), calibration)
    assert "\n" not in str(error.value)


def test_tickets_that_do_not_belong_together_are_one_clear_line(trail):
    other = Ticket.from_state_dict(nn.Linear(2, 2).state_dict())
    elsewhere = Ticket({**trail[2].weights}, {"head.weight": torch.eye(3, 5).bool()},
                       trail[2].buffers)  # fmt: skip
    for tickets, told in (
        ([], "there are 0 tickets"),
        (trail[:1], "there are 1 tickets; pooling takes at least two"),
        ([*trail, trail[1]], r"tickets\[1\] and tickets\[3\] are equal; give each ticket once"),
        ([*trail, other], r"tickets\[3\]: the state is of another network"),
        ([replace(other, name="old.safetensors")], "old.safetensors: the state is of another"),
        ([trail[0].state_dict()], "tickets has a dict at 0; make it a ticket with"),
        ([trail[1], elsewhere], r"tickets\[0\] and tickets\[1\] are pruned in different layers"),
    ):
        with pytest.raises(InputError, match=told) as error:
            _pool(tickets)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("tickets", "network", "told"),
    [
        (None, Own(), "tickets is a NoneType; give a list of tickets"),
        (Ticket({}, {}), Own(), "tickets is a Ticket; give a list of tickets"),
        ([], "resnet18", "network is a str; give a module of the tickets' architecture"),
        ([], Own, "network is a class Own; give a module of the tickets' architecture"),
    ],
)
def test_other_things_in_their_place_are_one_clear_line(tickets, network, told):
    with pytest.raises(InputError, match=told):
        pool(tickets, network, _loader(2))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"recipe": "x"}, "recipe is a str; give one of a recipe's class, such as Search"),
        ({"recipe": Search}, "recipe is a class Search; give one"),
        ({"scoring": {"search": "exact"}}, "scoring is a dict; give a ScoringSpec"),
        ({"precision": "fp8"}, "precision is 'fp8'; give auto, bf16 or fp32"),
    ],
)
def test_settings_of_another_kind_are_one_clear_line(trail, settings, told):
    with pytest.raises(InputError, match=told):
        pool(trail, Own(), _loader(2), **settings)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_network_of_other_weights_than_float32_is_one_clear_line(dtype):
    """The images, and the logits that decide, are float32."""
    network = Own().to(dtype)
    tickets = [Ticket.from_state_dict(Own().to(dtype).state_dict()) for _ in range(2)]
    with pytest.raises(InputError, match=rf"mix\.weight of {dtype}, .*network\.float\(\)"):
        pool(tickets, network, _loader(2))


def test_what_a_network_raises_is_one_clear_line(trail):
    def forward(x: Tensor) -> Tensor:
        raise KeyError(x.ndim)

    network = Own()
    network.forward = forward  # type: ignore[method-assign]
    with pytest.raises(InputError, match="does not take validation's images of 2×6×6: KeyError: 4"):
        pool(trail, network, _loader(2))


def test_a_network_without_logits_is_one_clear_line(trail):
    class Tuples(Own):
        def forward(self, x: Tensor) -> tuple[Tensor]:  # type: ignore[override]
            return (x,)

    with pytest.raises(
        InputError, match="the network gives a tuple for 2 images of 2×6×6; it must"
    ):
        pool(trail, Tuples(), _loader(2))


class Shifting(Own):
    """Changes batches of `least` images and more in place."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.least = least

    def forward(self, x: Tensor) -> Tensor:
        if len(x) >= self.least:
            x -= 0.5
        return super().forward(x)


@pytest.mark.parametrize("inference", [True, False])
def test_a_network_that_changes_its_images_in_place_is_refused(trail, inference):
    """Every score would be one of other images."""
    with (
        torch.inference_mode(inference),
        pytest.raises(InputError, match=r"the network: changes the images .* write x = x - 0\.5"),
    ):
        pool(trail, Shifting(1), _loader(2), _loader(1))
    with torch.inference_mode(inference):
        assert len(_pool(trail)) == len(trail)


@pytest.mark.parametrize("least", [1, 3])
def test_images_stay_as_they_were_given_whatever_the_network_does(trail, least):
    pixels, labels = _images(2).tensors
    given = pixels.to(memory_format=torch.channels_last)  # as the device wants them
    with suppress(InputError):
        pool(trail, Shifting(least), [(given, labels)], [given], precision="fp32")
    assert torch.equal(given, pixels)


def test_logits_that_are_never_finite_are_one_clear_line(trail):
    class Diverging(Own):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) / 0

    with pytest.raises(InputError, match="logits that are NaN or infinite, whichever ticket's"):
        pool(trail, Diverging(), _loader(2))


def test_a_ticket_whose_logits_are_not_finite_may_be_among_others(trail):
    huge = {name: weight * 1e38 for name, weight in trail[0].weights.items()}
    diverged = replace(trail[0], weights=huge, meta={"converged": False})
    tickets = [diverged, *trail[1:]]
    assert [result.members for result in _pool(tickets)][1:] == [
        [number + 1 for number in result.members] for result in _pool(trail[1:])
    ]
