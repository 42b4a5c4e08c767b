"""The processes that share one training run (`train.devices`), as torchrun starts them."""

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class Workers:
    """This process's place among them: rank, world, and what they do together.

    Outside torchrun it is a world of one, and every method does nothing.
    """

    def __init__(self) -> None:
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.rank = int(os.environ.get("RANK", 0))
        self.local_rank = int(os.environ.get("LOCAL_RANK", 0))
        if self.world > 1 and not dist.is_initialized():
            # By the tensor's device: on a machine with GPUs a run on the CPU needs gloo, too.
            # (Without a name PyTorch would take NCCL alone there.)
            dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The network as the training step calls it: gradients averaged over the processes."""
        if self.world == 1:
            return model
        return DistributedDataParallel(model, [device] if device.type == "cuda" else None)

    def sum(self, values: Tensor) -> Tensor:
        """Elementwise sum over the processes."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until every process has come this far."""
        if self.world > 1:
            dist.barrier()

    def close(self) -> None:
        """Leave the group; call it last."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()
