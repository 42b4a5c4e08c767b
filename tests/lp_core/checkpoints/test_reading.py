"""Files of others, written by their own means, hold the ticket that was written."""

import re
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lp_core.checkpoints import fit, read
from lp_core.errors import InputError
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket
from tests.lp_core.foreign import WRITERS
from tests.lp_core.tiny import plain_network


def network(seed: int = 0) -> nn.Module:
    return build("resnet8", 4, 3, 8, seed=seed)


def sparse(model: nn.Module, keep: float = 0.5) -> Ticket:
    weights = {name: model.get_parameter(name) for name in prunable(model)}
    mask = magnitude_mask(weights, round(keep * sum(w.numel() for w in weights.values())))
    ticket = Ticket.of(model, mask, {})
    ticket.weights |= {name: ticket.weights[name] * kept for name, kept in mask.items()}
    return ticket


@pytest.fixture
def ticket() -> Ticket:
    return sparse(network(1))


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_every_format_is_the_ticket_that_was_written(tmp_path, ticket, name):
    WRITERS[name](tmp_path / name, network(2), ticket)
    found = fit(read(tmp_path / name), network(3), list(ticket.mask))
    assert found.digest == ticket.digest


@pytest.mark.parametrize("name", WRITERS)
def test_a_network_without_batch_norm_is_read_as_well(tmp_path, name):
    ticket = sparse(plain_network())
    WRITERS[name](tmp_path / name, plain_network(), ticket)
    assert fit(read(tmp_path / name), plain_network(), list(ticket.mask)).digest == ticket.digest


def test_a_ticket_of_another_experiment_is_read(tmp_path, ticket):
    ticket.save(tmp_path / "ours.safetensors")
    found = fit(read(tmp_path / "ours.safetensors"), network(2), list(ticket.mask))
    assert found.digest == ticket.digest


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ""])
def test_what_a_file_is_called_does_not_matter(tmp_path, ticket, suffix):
    (name, other) = (tmp_path / f"{library}{suffix}" for library in ("torch", "safe"))
    torch.save(ticket.state_dict(), name)
    save_file(ticket.state_dict(), other)
    found = [fit(read(path), network(2), list(ticket.mask)) for path in (name, other)]
    assert {one.digest for one in found} == {ticket.digest}


def test_a_weight_without_a_mask_is_pruned_where_it_is_zero(tmp_path, ticket):
    WRITERS["plain.pt"](tmp_path / "a.pt", network(2), ticket)
    found = fit(read(tmp_path / "a.pt"), network(3))
    for name, kept in found.mask.items():
        assert torch.equal(kept, ticket.weights[name] != 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_the_networks(tmp_path, dtype):
    state = network(1).to(dtype).state_dict()
    torch.save(state, tmp_path / "a.pt")
    found = fit(read(tmp_path / "a.pt"), network(3))
    assert all(torch.equal(w, state[name].float()) for name, w in found.weights.items())


def test_the_network_is_found_whatever_wraps_its_names(tmp_path):
    for number, prefix in enumerate(("module.", "_orig_mod.", "model.net.", "module._orig_mod.")):
        path = tmp_path / f"{number}.pt"
        torch.save({f"{prefix}{n}": t for n, t in network(1).state_dict().items()}, path)
        assert fit(read(path), network(3)).digest == fit(read(tmp_path / "0.pt"), network(3)).digest


def test_weights_that_were_averaged_are_read(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(network(1))
    torch.save(averaged.state_dict(), tmp_path / "a.pt")
    found = fit(read(tmp_path / "a.pt"), network(3))
    assert torch.equal(found.weights["head.2.weight"], network(1).get_parameter("head.2.weight"))


def test_masks_may_miss_the_prefix_that_weights_have(tmp_path, ticket):
    path = tmp_path / "model_ep1_it0.pth"
    torch.save({f"module.{n}": t for n, t in (ticket.weights | ticket.buffers).items()}, path)
    torch.save({n: m.int() for n, m in ticket.mask.items()}, tmp_path / "mask.pth")
    assert fit(read(path), network(3), list(ticket.mask)).digest == ticket.digest


def test_of_several_networks_in_a_file_the_key_says_which(tmp_path):
    content = {"model": network(1).state_dict(), "ema": {"shadow": network(2).state_dict()}}
    torch.save(content, tmp_path / "a.pt")
    for key, seed in (("model", 1), ("ema.shadow", 2)):
        found = fit(read(tmp_path / "a.pt", key), network(3))
        assert torch.equal(
            found.weights["head.2.weight"], network(seed).get_parameter("head.2.weight")
        )


def test_an_old_file_without_batch_norms_counter_is_read(tmp_path):
    state = network(1).state_dict()
    old = {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "a.pt")
    assert len(fit(read(tmp_path / "a.pt"), network(3)).buffers) == len(list(network().buffers()))


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_a_weight_in_a_sparse_layout_is_read(tmp_path, ticket):
    state = ticket.weights | ticket.buffers
    torch.save(
        {n: t.to_sparse() if n in ticket.mask else t for n, t in state.items()}, tmp_path / "a"
    )
    assert fit(read(tmp_path / "a"), network(3), list(ticket.mask)).digest == ticket.digest


@pytest.mark.parametrize(
    ("masks", "line"),
    [
        ({}, "mask.pth: holds no masks by name"),
        (
            {"stem.0.weight": torch.ones(2, 2)},
            "the mask of stem.0.weight is 2×2, but the weight is",
        ),
        (
            {"stem.1.weight": torch.ones(16)},
            "it has a mask of stem.1.weight, which is no convolution",
        ),
        ({"other": torch.ones(2)}, "it has a mask of other, which is no convolution"),
    ],
)
def test_masks_of_another_network_are_refused(tmp_path, masks, line):
    torch.save(network(1).state_dict(), tmp_path / "model_ep1_it0.pth")
    torch.save(masks, tmp_path / "mask.pth")
    with pytest.raises(InputError, match=re.escape(line)):
        fit(read(tmp_path / "model_ep1_it0.pth"), network(3))


def _orig_alone(state):
    state["stem.0.weight_orig"] = state.pop("stem.0.weight")
    state["head.2.weight_mask"] = torch.ones_like(state["head.2.weight"])
    return state


def _bad_values(state):
    return state | {"stem.0.weight_mask": torch.full_like(state["stem.0.weight"], 0.5)}


def _bad_shape(state):
    return state | {"stem.0.weight_mask": torch.ones(3, 3)}


def _bias_mask(state):
    return state | {"head.2.bias_mask": torch.ones_like(state["head.2.bias"])}


def _nan(state):
    state["stem.0.weight"][0, 0, 0, 0] = torch.nan
    return state


def _integers(state):
    return {n: t.to(torch.int8) for n, t in state.items()}


def _without_values(state):
    return {n: t.to("meta") for n, t in state.items()}


def _lacking(state):
    return {n: t for n, t in state.items() if n != "head.2.weight"}


def _surplus(state):
    return state | {"extra.weight": torch.ones(3)}


ODD = {
    "stem.0.weight_orig has no stem.0.weight_mask beside it; save": _orig_alone,
    "stem.0.weight_mask has values that are neither 0 nor 1; a mask has": _bad_values,
    "the mask of stem.0.weight is 3 × 3, the weight 16 × 3 × 3 × 3": _bad_shape,
    "it has a mask of head.2.bias, which is no convolution or linear weight": _bias_mask,
    "stem.0.weight has 1 values that are NaN or infinite": _nan,
    "it holds no network's weights by name": _integers,
    "stem.0.weight has a shape, but no values": _without_values,
    "the state is of another network: it has no head.2.weight": _lacking,
    "the state is of another network: it has extra.weight, which the network has not": _surplus,
    "the state is of another network: head.2.weight is 9×64, but 4×64 in the network": lambda _: (
        build("resnet8", 9, 3, 8, seed=0).state_dict()
    ),
    "it holds several networks, 'a', 'b'; say which one under `key`": lambda state: {
        "a": state,
        "b": state,
    },
}


@pytest.mark.parametrize("line", ODD)
def test_what_is_odd_in_a_file_is_one_line_that_names_it(tmp_path, line):
    path = tmp_path / "odd.pt"
    torch.save(ODD[line](network(1).state_dict()), path)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {line}')}") as caught:
        fit(read(path), network(3))
    assert "\n" not in str(caught.value)


def _whole_model(path: Path) -> None:
    torch.save(network(1), path)


def _script(path: Path) -> None:
    torch.jit.script(nn.Sequential(nn.Linear(2, 2))).save(path)


def _truncated(path: Path) -> None:
    torch.save(network(1).state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _other_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")


def _truncated_safetensors(path: Path) -> None:
    save_file(network(1).state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


NO_CHECKPOINTS = {
    "beside tensors it holds a pickled torch.nn.modules": _whole_model,
    "a TorchScript archive, which is code": _script,
    "not a whole checkpoint (": _truncated,
    "not a whole checkpoint ( ": _other_archive,
    "not a whole safetensors file (": _truncated_safetensors,
    "neither a file of torch.save nor of safetensors": lambda path: path.write_text("no weights"),
    "it holds no network's weights by name (list)": lambda path: torch.save([torch.ones(2)], path),
    "it holds no network's weights by name (dict)": lambda path: torch.save({}, path),
    "it holds no network's weights by name (OrderedDict)": lambda path: torch.save(
        OrderedDict(mask=torch.ones(2, dtype=torch.int32)), path
    ),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("line", NO_CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_refused_by_name(tmp_path, line):
    path = tmp_path / "odd.pt"
    NO_CHECKPOINTS[line](path)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {line.strip()}')}") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_no_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        read(tmp_path / "none.pt")


def test_a_pickle_that_would_run_code_does_not(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": network(1).state_dict(), "args": Evil()}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="can run any code when it is read"):
        read(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_few_numbers_that_stand_for_terabytes_are_refused(tmp_path):
    state = network(1).state_dict()
    name = next(name for name, tensor in state.items() if tensor.ndim == 4)
    many = torch.zeros(1).expand(10**6, 10**6)
    none = torch.sparse_coo_tensor(torch.zeros(2, 0), torch.zeros(0), (10**6, 10**6))
    for huge, told in ((many, "one of 4,000,000,000,000 bytes"), (none, "sparse")):
        torch.save(state | {name: huge}, tmp_path / "a.pt")
        with pytest.raises(InputError, match=re.escape(f"a.pt: {name} is {told}")):
            read(tmp_path / "a.pt")


def test_no_damage_of_a_pickle_is_more_than_one_line(tmp_path):
    path, state = tmp_path / "a.pt", {"a.weight": torch.ones(3, 2), "a.bias": torch.ones(3)}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    whole, draws = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for place in draws.integers(len(damaged), size=5):
            damaged[place] = draws.integers(256)
        path.write_bytes(damaged[: draws.integers(len(damaged))])
        with pytest.raises(InputError) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_mapping_without_end_is_refused(tmp_path):
    content: dict[str, object] = {}
    content["state_dict"] = content
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"a\.pt: its mappings have no end"):
        read(tmp_path / "a.pt")


def test_a_link_to_masks_that_are_gone_is_not_no_masks(tmp_path):
    torch.save(network(1).state_dict(), tmp_path / "model_ep1_it0.pth")
    (tmp_path / "mask.pth").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"mask\.pth: not a whole checkpoint"):
        read(tmp_path / "model_ep1_it0.pth")


def test_a_safetensors_header_of_any_length_is_known(tmp_path):
    """Its length stands first, and 128 is how a pickle begins."""
    starts = set()
    for letters in range(8, 264, 8):
        save_file({"w" * letters: torch.ones(2)}, tmp_path / "a.safetensors")
        starts.add((tmp_path / "a.safetensors").read_bytes()[0])
        assert list(read(tmp_path / "a.safetensors").state) == ["w" * letters]
    assert 0x80 in starts
