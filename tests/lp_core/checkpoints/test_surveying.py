"""Which weights a run has pruned, and in which order its checkpoints come."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lp_core.checkpoints import Surveyed, densest_first, pruned_layers, survey
from lp_core.errors import InputError
from lp_core.models.structure import prunable
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket
from tests.lp_core.foreign import save_openlth, save_plain, save_prune
from tests.lp_core.tiny import residual_network


def sparse(density: float, layers: list[str]) -> Ticket:
    model = residual_network()
    weights = {name: model.get_parameter(name) for name in layers}
    mask = magnitude_mask(weights, round(density * sum(w.numel() for w in weights.values())))
    ticket = Ticket.of(model, mask, {})
    ticket.weights |= {name: ticket.weights[name] * kept for name, kept in mask.items()}
    return ticket


def surveyed(folder: Path, writer, densities, layers) -> list[Surveyed]:
    files = []
    for number, density in enumerate(densities):
        path = folder / str(number) / "model_ep1_it0.pth"
        writer(path, residual_network(), sparse(density, layers))
        files.append(survey(path, residual_network()))
    return files


CONV = prunable(residual_network())
ALL = prunable(residual_network(), "conv+linear")


@pytest.mark.parametrize("layers", [CONV, ALL, CONV[:2]])
@pytest.mark.parametrize("writer", [save_prune, save_openlth])
def test_masks_say_what_was_pruned_whatever_the_kind(tmp_path, writer, layers):
    files = surveyed(tmp_path, writer, [1.0, 0.5], layers)
    for kind in ("conv", "conv+linear"):
        assert pruned_layers(files, residual_network(), kind) == layers


def test_a_dense_network_without_masks_has_those_of_the_others(tmp_path):
    dense, pruned = tmp_path / "dense.pt", tmp_path / "pruned.pt"
    save_plain(dense, residual_network(), sparse(1.0, CONV[:2]))
    save_prune(pruned, residual_network(), sparse(0.5, CONV[:2]))
    files = [survey(path, residual_network()) for path in (pruned, dense)]
    layers = pruned_layers(files, residual_network(), "conv")
    assert layers == CONV[:2]
    ordered = densest_first(files, layers)
    assert [file.path for file in ordered] == [dense, pruned]
    assert [round(file.density(layers), 3) for file in ordered] == [1.0, 0.5]


@pytest.mark.parametrize(("kind", "layers"), [("conv", CONV), ("conv+linear", ALL)])
def test_without_masks_the_kind_says_what_may_be_pruned(tmp_path, kind, layers):
    files = surveyed(tmp_path, save_plain, [1.0, 0.5], layers)
    assert pruned_layers(files, residual_network(), kind) == layers


def test_zeros_outside_the_kind_are_refused(tmp_path):
    files = surveyed(tmp_path, save_plain, [1.0, 0.3], ALL)
    with pytest.raises(InputError, match=r"% of head.2.weight are zeros, but imp.prunable is conv"):
        pruned_layers(files, residual_network(), "conv")


def test_two_of_one_density_are_refused(tmp_path):
    files = surveyed(tmp_path, save_prune, [1.0, 0.5, 0.5], CONV)
    with pytest.raises(InputError, match=r"have the same density, 0\.5000; one of them must be"):
        densest_first(files, CONV)


def test_checkpoints_of_two_architectures_are_refused_by_the_file_that_differs(tmp_path):
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"^.*other\.pt: the state is of another network"):
        survey(tmp_path / "other.pt", residual_network())
