"""Whether a network maps images to logits: found by running it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lp_core.errors import InputError, typed_line
from lp_core.models.classifier import mark_classifier


@contextmanager
def images_kept(images: Tensor, name: str) -> Iterator[Tensor]:
    """Lends a copy of images to a network. Raises InputError where it has changed them in place:
    whoever looks at its images next would see others. name: what the error calls the network."""
    with torch.inference_mode(False):  # whose tensors do not count their changes
        copy = images.clone()
    version = copy._version
    yield copy
    if copy._version != version:
        raise InputError(
            f"{name}: changes the images that it is given; where its forward has x -= 0.5, say, "
            "write x = x - 0.5, and give the layer that comes first no inplace=True"
        )


@torch.no_grad()
def require_classifies(
    model: nn.Module, name: str, classes: int, channels: int, height: int, width: int
) -> None:
    """Raises InputError where a network on the CPU does not map images B×channels×height×width to
    float32 logits B×classes, in training and in evaluation, there always to the same, or where it
    changes the images. Marks the layer that makes the logits.

    name: what the error calls it. The network is left in training mode, its statistics as they
    were. Lazy layers take their shapes here.
    """
    images = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(0))
    model.eval()
    answer = mark_classifier(model, lambda: _answer(model, images[:1], name, classes))
    again = _answer(model, images[:1], name, classes)
    if not torch.equal(answer.nan_to_num(), again.nan_to_num()):
        raise InputError(
            f"{name}: answers one image differently when it is asked again in evaluation mode; "
            "nothing may be drawn there (F.dropout takes training=self.training)"
        )
    if unused := [key for key, weight in model.named_parameters() if is_lazy(weight)]:
        raise InputError(
            f"{name}: {unused[0]} has no shape after images have passed; remove the layer, which "
            "nothing uses, or give it its width"
        )
    model.train()
    # On copies of the buffers, since batch norm counts what it sees.
    copies = {buffer: value.clone() for buffer, value in model.named_buffers()}
    _answer(lambda x: torch.func.functional_call(model, copies, (x,)), images, name, classes)
    _require_any_layout(model, name, copies, images)
    odd = [key for key, weight in model.named_parameters() if weight.dtype != torch.float32]
    if odd:
        kind = str(model.get_parameter(odd[0]).dtype).removeprefix("torch.")
        raise InputError(f"{name}: {odd[0]} is of {kind}; weights must be float32")


def _require_any_layout(
    model: nn.Module, name: str, buffers: dict[str, Tensor], images: Tensor
) -> None:
    """Raises InputError where images and weights may not lie channels_last, as they do in training;
    `view` cannot flatten what comes of them."""
    lying = {
        key: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
        for key, value in (*model.named_parameters(), *buffers.items())
    }
    try:
        torch.func.functional_call(model, lying, (images.to(memory_format=torch.channels_last),))
    except Exception as error:
        said = typed_line(error)
        raise InputError(
            f"{name}: cannot take images that lie channels_last in memory ({said}); where it calls "
            "view, let it call reshape or flatten(1)"
        ) from error


def _answer(model: Any, images: Tensor, name: str, classes: int) -> Tensor:
    shape = "×".join(map(str, images.shape))
    with images_kept(images, name) as lent:
        try:
            logits = model(lent)
        except (Exception, SystemExit) as error:
            said = typed_line(error)
            raise InputError(
                f"{name}: cannot take images of {shape} ({said}); resize them in the data set's "
                "settings, give the network what it takes (model.arguments), or choose another"
            ) from error
    found = (
        "×".join(map(str, logits.shape)) if isinstance(logits, Tensor) else type(logits).__name__
    )
    if found != f"{len(images)}×{classes}":
        raise InputError(
            f"{name}: makes {found} of images {shape}; a network here makes logits, "
            f"{len(images)}×{classes}"
        )
    return logits
