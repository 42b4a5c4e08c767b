"""The two named seeds: `init` draws the weights, `noise` the data order and the augmentation.

Every random number of a training run comes from a seed made here out of one of them, so that
either can be forked while the other stays (the SGD-noise paper's instability analysis).
"""

import numpy as np


def noise_seed(noise: int, ticket: int | None, epoch: int) -> int:
    """Seed of one epoch's order and augmentation.

    ticket: number of the ticket in training; None for the run to the rewind point. Each ticket
    sees its own noise, as successive runs of Algorithm 1 do. Depends on nothing before the epoch,
    so a run that resumes there draws what an undisturbed one draws.
    """
    run = 0 if ticket is None else ticket + 1
    return int(np.random.SeedSequence([noise, run, epoch]).generate_state(1, np.uint32)[0])


def mask_seed(noise: int, step: int) -> int:
    """Seed of the random draws of a mask at one step: of the initial one at 0, then of growth."""
    # A spawn key keeps them apart from the seeds of epochs.
    sequence = np.random.SeedSequence([noise, step], spawn_key=(1,))
    return int(sequence.generate_state(1, np.uint32)[0])
