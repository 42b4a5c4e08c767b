"""Linear probes: what a linear classifier can make of a frozen network's features.

SGD noise, section 5.1: after each block of an untrained ticket a channel-wise pooling and a linear
layer, which alone is trained (Tables 5, 17 and 18; after the last block, on other data sets,
Table 6). The network is frozen, so its features are computed once, for all probes and epochs.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from lp_core.analysis.probe_spec import ProbeSpec
from lp_core.compute import Compute
from lp_core.errors import InputError
from lp_core.models.cutting import stations
from lp_core.models.structure import CONVOLUTIONS, TRANSPOSED
from lp_core.training.evaluation import is_correct
from lp_core.training.sgd import SGD

_ON_LINES = (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d)
_CHANNELS_FIRST = (*CONVOLUTIONS, *TRANSPOSED, _NormBase, nn.GroupNorm)
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.MultiheadAttention)


@torch.no_grad()
def features(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], compute: Compute
) -> tuple[dict[str, Tensor], Tensor]:
    """What each block of a network makes of the images, averaged over their positions.

    model: on the compute device; it is left in evaluation mode. batches: images B×C×H×W and labels.
    Returns for `stem`, `block1`, `block2` …, in the order in which they run (`stations`), float32
    N×channels, and labels (int64, N), all on the device. Tokens are averaged as positions are. The
    last of them, which classifies, has no features of its own: what it reads is what the last block
    gives. Raises InputError for a network that does nothing but classify.
    """
    model.eval()
    parts: dict[str, list[Tensor]] = {}
    labels: list[Tensor] = []
    with compute.autocast(), _watched(model) as seen:
        for images, truth in batches:
            seen.clear()
            model(images)
            if len(seen) < 2:
                raise InputError(
                    f"a {type(model).__name__} has a single layer with weights, the classifier; "
                    "probes read what comes before it"
                )
            for number, values in enumerate(seen[:-1]):
                parts.setdefault(f"block{number}" if number else "stem", []).append(values)
            labels.append(truth)
    # One block's pieces at a time: all of them twice could be more than there is memory for.
    return {name: torch.cat(parts.pop(name)) for name in list(parts)}, torch.cat(labels)


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[Tensor]]:
    """While it lasts, whatever the network gives is added to the list, a block at a time."""
    seen: list[Tensor] = []
    first = True  # whether channels come before positions, as the last module told that tells

    def watch(begins: bool, module: nn.Module, out: Any) -> None:
        nonlocal first
        if begins:
            seen.append(torch.empty(0))
        out = out[0] if isinstance(out, tuple) else out
        if not seen or not isinstance(out, Tensor) or out.ndim < 2:
            return
        told = channels_first(module, out.ndim)
        first = first if told is None else told
        # At once: what comes next may write into the output.
        positions = range(2, out.ndim) if first else range(1, out.ndim - 1)
        seen[-1] = out.float().mean(tuple(positions)) if positions else out.float()

    handles = [
        module.register_forward_hook(lambda m, _, out, begins=begins: watch(begins, m, out))
        for module, begins in stations(model).items()
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def channels_first(module: nn.Module, ndim: int) -> bool | None:
    """Whether a module's output of `ndim` dimensions is images×channels×positions (a convolution's)
    or images×positions×channels (a linear layer's); None where it does not tell."""
    parts = list(module.modules())
    if any(isinstance(part, _CHANNELS_FIRST) for part in parts):
        lines = any(isinstance(part, _ON_LINES) for part in parts)
        return lines if ndim == 3 else True  # else what comes of patches: tokens
    return False if any(isinstance(part, _CHANNELS_LAST) for part in parts) else None


def train_probes(
    features: Mapping[str, Tensor], labels: Tensor, classes: int, spec: ProbeSpec, seed: int
) -> dict[str, nn.Linear]:
    """A linear classifier for each block's features, all trained in one pass over them.

    features, labels: as `features` gives them. seed: of the initial weights and of the order, which
    is the same for every probe: each comes out as if it were trained alone. The global random state
    is neither read nor changed.
    """
    probes = {name: _initial(values, classes, seed) for name, values in features.items()}
    parameters = [p for probe in probes.values() for p in probe.parameters()]
    optimizer = SGD(parameters, spec.momentum, spec.weight_decay)
    generator = torch.Generator().manual_seed(seed)
    for _epoch in range(spec.epochs):
        order = torch.randperm(len(labels), generator=generator).to(labels.device)
        for chosen in order.split(spec.batch_size):
            truth = labels[chosen]
            losses = [
                nn.functional.cross_entropy(probe(features[name][chosen]), truth)
                for name, probe in probes.items()
            ]
            optimizer.zero_grad()
            # No weight has a part in two of them: the sum's gradients are those of each alone.
            torch.stack(losses).sum().backward()
            optimizer.step(spec.lr)
    return probes


@torch.no_grad()
def probe_accuracy(
    probes: Mapping[str, nn.Linear], features: Mapping[str, Tensor], labels: Tensor
) -> dict[str, float]:
    """The share of these images, 0–1, that each probe classifies rightly, by the block's name."""
    return {
        name: is_correct(probe(features[name]), labels).double().mean().item()
        for name, probe in probes.items()
    }


def _initial(values: Tensor, classes: int, seed: int) -> nn.Linear:
    """A layer for N×channels features, on their device, as `models.build` draws one."""
    channels = values.shape[1]
    generator = torch.Generator().manual_seed(seed)
    probe = nn.utils.skip_init(nn.Linear, channels, classes)
    bound = channels**-0.5
    nn.init.uniform_(probe.weight, -bound, bound, generator=generator)
    nn.init.uniform_(probe.bias, -bound, bound, generator=generator)
    return probe.to(values.device)
