"""TreeNet (Lee et al. 2015): members share their first layers and have the others to themselves.

Reference: Why M heads are better than one, section on TreeNets; the Sup-tickets paper's table 6
has its diversity on Wide ResNet 28-10.
"""

import numpy as np
import torch
from torch import Tensor, nn

from lp_core.models.cutting import blocks
from lp_core.models.ensembles.ensemble import MEMBERS, Build, Ensemble
from lp_core.training.evaluation import float32_logits


class TreeNet(Ensemble):
    """A trunk, and a branch for each member.

    The Sup-tickets paper does not say where its trees branch. Here the stem and the first half of
    the blocks (rounded down) are the trunk: with a later branching hardly anything could differ,
    and with an earlier one this would be an ensemble of whole networks.

    Branch k is that of a network of its own, drawn from the seeds that follow from `seed`; the
    first branch and the trunk are those of the network of `seed` itself. A branch learns from its
    share of each batch, the trunk from all of it.
    """

    def __init__(self, build: Build, seed: int, members: int = MEMBERS) -> None:
        """build: makes one network, which `blocks` can cut, from a seed."""
        super().__init__(members)
        others = np.random.SeedSequence(seed).generate_state(members - 1, np.uint32)
        cut = [list(blocks(build(int(one))).values()) for one in (seed, *others)]
        trunk = 1 + (len(cut[0]) - 2) // 2
        self.trunk = nn.Sequential(*cut[0][:trunk])
        self.branches = nn.ModuleList(nn.Sequential(*own[trunk:]) for own in cut)

    def shared_out(self, images: Tensor) -> Tensor:
        """Logits B×classes: one pass through the trunk, a share through each branch."""
        shares = self.trunk(images).tensor_split(self.count)
        return torch.cat([branch(x) for branch, x in zip(self.branches, shares, strict=True)])

    def members(self, images: Tensor) -> Tensor:
        """Every member's logits of every image, M×B×classes; in evaluation of float32 layers."""
        features = self.trunk(images)
        logits = []
        for branch in self.branches:
            if self.training:
                logits.append(branch(features))
            else:
                with float32_logits(branch):
                    logits.append(branch(features))
        return torch.stack(logits)
