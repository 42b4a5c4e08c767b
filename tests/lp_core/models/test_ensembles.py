"""Efficient ensembles: members that share weights are the separate networks they stand for."""

from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lp_core import faces
from lp_core.errors import InputError
from lp_core.models.cutting import blocks
from lp_core.models.ensembles.batch_ensemble import BatchEnsemble
from lp_core.models.ensembles.ensemble import Ensemble
from lp_core.models.ensembles.spec import ENSEMBLES
from lp_core.models.ensembles.tree_net import TreeNet
from lp_core.models.factory import build
from lp_core.models.spec import NETWORKS
from tests.lp_core.tiny import CLASSES, TinyRun, without_time

NAMES = faces.names(ENSEMBLES)
OWN = "tests.lp_core.own_networks"
MakeOne = Callable[[int], nn.Module]


def network(name: str, size: int = 8) -> MakeOne:
    return lambda seed: build(name, CLASSES, 3, size, seed=seed)


def images(count: int, size: int = 8) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


def make(name: str, one: MakeOne, seed: int = 0, **settings: int) -> Ensemble:
    ensemble: Ensemble = faces.member(ENSEMBLES, name)(one, seed, **settings)
    return ensemble


def disturb(model: nn.Module) -> None:
    """Every parameter and statistic to a value that no two members share."""
    generator = torch.Generator().manual_seed(9)
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.mul_(noise + 0.5) if tensor.any() else tensor.add_(noise)
        assert "num_batches" in key or tensor.any()


def separate(ensemble: Ensemble, one: MakeOne, member: int) -> nn.Module:
    """The network that a member is, built from the ensemble's state by its definition."""
    plain = one(123)
    state = dict(ensemble.state_dict())
    if isinstance(ensemble, TreeNet):
        trunk, branch = ensemble.trunk, ensemble.branches[member]
        assert isinstance(branch, nn.Sequential)
        for own, given in zip(blocks(plain).values(), [*trunk, *branch], strict=True):
            own.load_state_dict(given.state_dict())
        return plain
    for name, module in plain.named_modules():
        at = f"network.{name}"
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            r, s = state[f"{at}.inputs"][member], state[f"{at}.outputs"][member]
            rank_one = s.outer(r).reshape(*module.weight.shape[:2], *[1] * (module.weight.ndim - 2))
            module.weight.data = state[f"{at}.layer.weight"] * rank_one
            if module.bias is not None:
                module.bias.data = state[f"{at}.biases"][member]
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            of_member = f"{at}.norms.{member}."
            own_state = {
                k[len(of_member) :]: v for k, v in state.items() if k.startswith(of_member)
            }
            module.load_state_dict(own_state)
    return plain


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    ("name", "size"),
    [("resnet8", 8), ("resnet18", 8), ("vgg16", 32), ("wrn28_10", 8), (f"{OWN}:plain", 8)],
)
def test_members_are_the_networks_of_their_effective_weights(
    kind: str, name: str, size: int
) -> None:
    one = network(name, size)
    ensemble = make(kind, one, members=2).eval()
    disturb(ensemble)
    batch = images(2, size)
    with torch.no_grad():
        logits = ensemble.members(batch)
        alone = torch.stack([separate(ensemble, one, k).eval()(batch) for k in range(2)])
        torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(logits[0], logits[1])
        torch.testing.assert_close(ensemble(batch), logits.mean(0))


@pytest.mark.parametrize("kind", NAMES)
def test_in_training_each_member_learns_from_its_share_alone(kind: str) -> None:
    """Shares of 4, 3 and 3 images: outputs and gradients of three networks, batch norm and all."""
    one = network("resnet8")
    ensemble = make(kind, one).train()
    disturb(ensemble)
    batch, labels = images(10), torch.arange(10) % CLASSES
    shares = [slice(0, 4), slice(4, 7), slice(7, 10)]
    members = [separate(ensemble, one, k).train() for k in range(3)]
    if isinstance(ensemble, TreeNet):  # whose trunk normalises over the whole batch
        cut = [list(blocks(member).values()) for member in members]
        whole = reduce(lambda x, block: block(x), cut[0][:2], batch)
        branches = [nn.Sequential(*own[2:]) for own in cut]
        alone = [branch(whole[share]) for branch, share in zip(branches, shares, strict=True)]
    else:
        alone = [member(batch[share]) for member, share in zip(members, shares, strict=True)]
    logits = ensemble(batch)
    torch.testing.assert_close(logits, torch.cat(alone), rtol=1e-4, atol=1e-4)

    nn.functional.cross_entropy(logits, labels).backward()
    nn.functional.cross_entropy(torch.cat(alone), labels).backward()
    heads = [blocks(member)["head"][-1] for member in members]  # type: ignore[index]
    if isinstance(ensemble, TreeNet):
        for branch, head in zip(ensemble.branches, heads, strict=True):
            torch.testing.assert_close(branch[-1][-1].weight.grad, head.weight.grad)  # type: ignore[index]
        return
    last: Any = ensemble.get_submodule("network.head.2")
    of_weight = torch.zeros_like(last.layer.weight)
    for k, head in enumerate(heads):
        gradient = head.weight.grad  # of W ∘ s rᵀ, from which those of W, r and s follow
        of_weight += gradient * last.outputs[k].outer(last.inputs[k])
        through = gradient * last.layer.weight
        torch.testing.assert_close(last.outputs.grad[k], through @ last.inputs[k])
        torch.testing.assert_close(last.inputs.grad[k], last.outputs[k] @ through)
        torch.testing.assert_close(last.biases.grad[k], head.bias.grad)
    torch.testing.assert_close(last.layer.weight.grad, of_weight)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("share", range(3))
def test_what_is_shared_learns_from_every_member(kind: str, share: int) -> None:
    """The loss of one member's share reaches the shared weights and that member's own alone."""
    ensemble = make(kind, network("resnet8")).train()
    ensemble(images(9)).tensor_split(3)[share].square().sum().backward()
    if isinstance(ensemble, TreeNet):
        shared = list(ensemble.trunk.parameters())
        owns = [list(branch.parameters()) for branch in ensemble.branches]
    else:
        shared = [p for name, p in ensemble.named_parameters() if name.endswith("layer.weight")]
        owns = [
            [p for name, p in ensemble.named_parameters() if f"norms.{k}." in name]
            for k in range(3)
        ]
    assert shared
    assert all(p.grad is not None and p.grad.any() for p in shared)
    for k, own in enumerate(owns):
        reached = [p.grad is not None and bool(p.grad.any()) for p in own]
        assert all(reached) if k == share else not any(reached)


@pytest.mark.parametrize("name", faces.names(NETWORKS))
def test_a_tree_branches_after_half_of_the_blocks(name: str) -> None:
    one = network(name, 32)
    tree = TreeNet(one, 0, members=2)
    middle = len(blocks(one(0))) - 2
    assert len(tree.trunk) == 1 + middle // 2
    assert [len(branch) for branch in tree.branches] == [middle - middle // 2 + 1] * 2  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", NAMES)
def test_weights_depend_on_the_seed_and_on_nothing_else(kind: str) -> None:
    torch.manual_seed(1)
    first = make(kind, network("resnet8"), 5).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = make(kind, network("resnet8"), 5).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    other = make(kind, network("resnet8"), 6).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    drawn = [key for key in first if key.endswith((".inputs", ".outputs", "0.weight"))]
    assert any(not torch.equal(first[key], other[key]) for key in drawn)


def test_factors_are_random_signs_and_members_differ_from_the_start() -> None:
    ensemble = BatchEnsemble(network("resnet20"), 3)
    factors = torch.cat(
        [p.flatten() for n, p in ensemble.named_parameters() if n.endswith(("inputs", "outputs"))]
    )
    assert set(factors.tolist()) == {-1.0, 1.0}
    assert abs(factors.mean().item()) < 4 / len(factors) ** 0.5
    for name, weight in build("resnet20", CLASSES, 3, 8, seed=3).named_parameters():
        if weight.ndim > 1:
            shared = ensemble.get_parameter(f"network.{name.removesuffix('.weight')}.layer.weight")
            assert torch.equal(shared, weight)  # the weights are those of the seed's own network


def test_branches_are_those_of_different_networks() -> None:
    tree = TreeNet(network("resnet8"), 3)
    first = list(blocks(build("resnet8", CLASSES, 3, 8, seed=3)).values())
    given = [*tree.trunk, *tree.branches[0]]  # type: ignore[misc]
    for own, block in zip(first, given, strict=True):
        mine, its = own.state_dict(), block.state_dict()
        assert all(torch.equal(mine[key], its[key]) for key in mine)
    heads: list[Any] = [branch[-1][-1].weight for branch in tree.branches]  # type: ignore[index]
    assert not torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[1], heads[2])


@pytest.mark.parametrize("kind", NAMES)
def test_the_one_loop_trains_it_and_a_killed_run_ends_with_the_same_bits(
    kind: str, tmp_path: Path
) -> None:
    whole = TinyRun(network=partial(make, kind, network("resnet8")), density=1.0)
    curve = without_time(whole.train())
    stopped = whole.again(state=tmp_path / "state", stop=1)
    stopped.train()
    resumed = whole.again(state=tmp_path / "state")
    assert without_time(resumed.train()) == curve
    expected, got = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(expected[key], got[key]) for key in expected)
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_scores_come_from_float32_last_layers_in_every_branch() -> None:
    tree = TreeNet(network("resnet8"), 0).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert tree.members(images(2)).dtype == torch.float32


@pytest.mark.parametrize("kind", NAMES)
def test_what_cannot_be_an_ensemble_is_refused(kind: str) -> None:
    with pytest.raises(InputError, match="members is 1; an ensemble needs at least 2"):
        make(kind, network("resnet8"), members=1)
    with pytest.raises(InputError, match=r"train\.batch_size: a batch of 2 images .* 3 members"):
        make(kind, network("resnet8")).train()(images(2))


def test_factors_scale_channels_wherever_a_layer_has_them() -> None:
    """Batch norm of one dimension; tokens, whose channels come last."""
    for name in ("Functional", "Tokens"):
        one = network(f"{OWN}:{name}")
        ensemble = make("batch-ensemble", one, members=2).eval()
        disturb(ensemble)
        with torch.no_grad():
            alone = [separate(ensemble, one, k).eval()(images(2)) for k in range(2)]
            torch.testing.assert_close(ensemble.members(images(2)), torch.stack(alone))


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("tree-net", "Functional", "Functional cannot be cut into blocks: only an nn.Sequential"),
        ("batch-ensemble", "Transformer", "attention is a MultiheadAttention, for which Batch"),
        ("batch-ensemble", "Lines", "up is a ConvTranspose1d, for which BatchEnsemble has no"),
    ],
)
def test_a_network_that_cannot_be_shared_so_is_refused(kind: str, name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        make(kind, network(f"{OWN}:{name}"))
