"""The hook of dynamic sparse training: explores the mask every so many steps."""

from lp_core.seeds import mask_seed
from lp_core.sparsity.dynamic import DynamicMethod
from lp_core.sparsity.magnitude import magnitude_mask_within
from lp_core.training.hooks import Hook, Progress


class Updates(Hook):
    """Before the optimiser's step, at each positive multiple of the method's interval, the mask is
    pruned to the density that the method wants then, and explored once.

    A weight that leaves or comes has no momentum, and one that comes is zero. The mask is a
    function of the state of the run and the step, so that the hook has no state of its own.
    """

    def __init__(
        self, method: DynamicMethod, steps: int, steps_per_epoch: int, seed: int, end: int
    ) -> None:
        """
        steps: of the whole training, over which the prune rate falls. steps_per_epoch: of an epoch,
        in which a method counts. seed: of random draws. end: the first step without updates.
        """
        self.method, self.steps, self.steps_per_epoch = method, steps, steps_per_epoch
        self.seed, self.end = seed, end

    def after_backward(self, progress: Progress) -> None:
        step, method, masks = progress.step, self.method, progress.masks
        if step == 0 or step % method.interval or step >= self.end:
            return
        weights = {name: progress.model.get_parameter(name).detach() for name in masks}
        prunable = sum(weight.numel() for weight in weights.values())
        keep = round(method.density_at(step, self.steps_per_epoch) * prunable)
        if keep < sum(masks.kept.values()):
            masks.change(magnitude_mask_within(masks, weights, keep))
        rate = method.prune_rate_at(step, self.steps)
        seed = mask_seed(self.seed, step)
        explored = method.explore(masks, weights, progress.dense_gradients, rate, seed)
        masks.change(explored)
