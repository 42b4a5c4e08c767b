"""What a ticket's file holds: of each weight what its mask keeps, and the mask as bits."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lp_core.checksums import tensors_digest

_DIGITS = 32  # of a digest

Tensors = dict[str, Tensor]


def packed(
    weights: Mapping[str, Tensor], masks: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
) -> tuple[Tensors, dict[str, Any]]:
    """What is stored: only the weights that the mask keeps, on the CPU, and what goes where."""
    tensors: Tensors = {}
    shapes: dict[str, list[int]] = {}
    for name, weight in weights.items():
        mask = masks.get(name)
        if mask is None or bool(mask.all()):
            tensors[f"weight:{name}"] = weight.cpu().contiguous()
            continue
        mask = mask.cpu().contiguous()
        tensors[f"kept:{name}"] = weight.cpu()[mask]
        tensors[f"mask:{name}"] = torch.from_numpy(np.packbits(mask.numpy()))
        shapes[name] = list(weight.shape)
    tensors |= {f"buffer:{name}": buffer.cpu().contiguous() for name, buffer in buffers.items()}
    return tensors, {"order": list(weights), "prunable": list(masks), "shapes": shapes}


def digest(tensors: Mapping[str, Tensor], layout: Mapping[str, Any]) -> str:
    """32 hex digits that stand for what `packed` gave."""
    return tensors_digest(json.dumps(layout, sort_keys=True), tensors)[:_DIGITS]


def unpacked(
    tensors: Mapping[str, Tensor], layout: Mapping[str, Any]
) -> tuple[Tensors, Tensors, Tensors]:
    """Weights, mask and buffers. Raises KeyError, TypeError or ValueError where they do not fit."""
    weights: Tensors = {}
    mask: Tensors = {}
    for name in layout["order"]:
        if name not in layout["shapes"]:
            weights[name] = tensors[f"weight:{name}"]
            if name in layout["prunable"]:
                mask[name] = torch.ones_like(weights[name], dtype=torch.bool)
            continue
        shape, bits = layout["shapes"][name], tensors[f"mask:{name}"].numpy()
        # Before memory is asked for: a shape may say anything.
        if min(shape, default=1) < 1 or math.ceil(math.prod(shape) / 8) != len(bits):
            raise ValueError(f"{name} of shape {shape} has a mask of {len(bits)} bytes")
        kept = np.unpackbits(bits, count=math.prod(shape)).astype(bool)
        mask[name] = torch.from_numpy(kept).view(shape)
        values = tensors[f"kept:{name}"]
        weights[name] = torch.zeros(shape, dtype=values.dtype)
        weights[name][mask[name]] = values
    # The mask comes in the order in which its maker listed it: ties in magnitude go by position.
    mask = {name: mask[name] for name in layout["prunable"]}
    buffers = {k.removeprefix("buffer:"): t for k, t in tensors.items() if k.startswith("buffer:")}
    return weights, mask, buffers
