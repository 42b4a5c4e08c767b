"""Masks that lie among the tensors of a state_dict, taken out of it.

Two spellings are known: that of `torch.nn.utils.prune`, where `weight_orig` and `weight_mask` stand
in the place of `weight` (a layer that has `weight` and `weight_mask` means the same), and that of
OpenLTH's pruned models, whose buffer `mask_layer___weight` belongs to `model.layer.weight`.

In both a weight counts as zero where its mask is, whatever number stands there: the one multiplies
by the mask in each pass; the other masks what it loads, after a last step of SGD has moved pruned
weights off zero.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from lp_core.errors import InputError

_ORIGINAL, _MASK = "_orig", "_mask"  # torch.nn.utils.prune
_BUFFER, _DOT, _INNER = "mask_", "___", "model."  # OpenLTH


def split_masks(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state without its masks, and the masks (bool) by the names of their weights.

    A masked weight has its plain name, and its values as they were. No masks: the zeros may be
    what was pruned. Raises InputError for a weight without its mask and for what is no mask.
    """
    masked = {name: weight for name in state if (weight := _masked_by(name, state))}
    masks = {weight: as_mask(state[name], name) for name, weight in masked.items()}
    plain: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in masked:
            continue
        weight = name.removesuffix(_ORIGINAL)
        # Without any masks, `weight_orig` is another library's name: spectral_norm has it, too.
        if masks and weight != name and weight not in masks:
            raise InputError(f"{name} has no {weight}{_MASK} beside it; save the whole state_dict")
        plain[weight if weight in masks else name] = tensor
    return plain, {weight: _of_shape(mask, plain[weight], weight) for weight, mask in masks.items()}


def as_mask(tensor: Tensor, name: str) -> Tensor:
    """A mask as bool. Raises InputError where a value is neither 0 nor 1."""
    if tensor.is_complex() or bool(((tensor != 0) & (tensor != 1)).any()):
        raise InputError(f"{name} has values that are neither 0 nor 1; a mask has 1 for what stays")
    return tensor.to(torch.bool)


def _masked_by(name: str, state: Mapping[str, Tensor]) -> str | None:
    """The weight of which a tensor is the mask; None for any other tensor."""
    weight = name.removesuffix(_MASK)
    if weight != name and (weight in state) != (weight + _ORIGINAL in state):
        return weight
    # Below a wrapper such as DataParallel both names begin with its own.
    above, found, below = name.rpartition(_BUFFER)
    inner = f"{above}{_INNER}{below.replace(_DOT, '.')}"
    return inner if found and (not above or above.endswith(".")) and inner in state else None


def _of_shape(mask: Tensor, weight: Tensor, name: str) -> Tensor:
    if mask.shape != weight.shape:
        shapes = [" × ".join(map(str, tensor.shape)) or "one number" for tensor in (mask, weight)]
        raise InputError(f"the mask of {name} is {shapes[0]}, the weight {shapes[1]}")
    return mask
