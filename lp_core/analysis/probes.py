"""Linear probes: what a linear classifier can make of a frozen network's features.

SGD noise, section 5.1: after each block of an untrained ticket a channel-wise pooling and a linear
layer, which alone is trained (Tables 5, 17 and 18; after the last block, on other data sets,
Table 6). The network is frozen, so its features are computed once, for all probes and epochs.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from lp_core.analysis.probe_spec import ProbeSpec
from lp_core.compute import Compute
from lp_core.models.cutting import blocks
from lp_core.training.evaluation import is_correct
from lp_core.training.sgd import SGD


@torch.no_grad()
def features(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], compute: Compute
) -> tuple[dict[str, Tensor], Tensor]:
    """What each block of a network makes of the images, averaged over their positions.

    model: one that `build` made, on the compute device, which is left in evaluation mode. batches:
    images B×C×H×W and labels. Returns for the stem and each block, by the names that `blocks` gives
    them, float32 N×channels, and labels (int64, N), all on the device. The head is not run: what it
    classifies is what the last block gives.
    """
    model.eval()
    cut = blocks(model)
    del cut["head"]
    parts: dict[str, list[Tensor]] = {name: [] for name in cut}
    labels: list[Tensor] = []
    with compute.autocast():
        for images, truth in batches:
            for name, block in cut.items():
                images = block(images)
                parts[name].append(images.float().mean((2, 3)))
            labels.append(truth)
    # One block's pieces at a time: all of them twice could be more than there is memory for.
    return {name: torch.cat(parts.pop(name)) for name in cut}, torch.cat(labels)


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
