"""How far a classifier's confidence is from its accuracy.

The expected calibration error of Guo et al. 2017, equation 3, by which Sup-tickets (Figure 5)
compares networks.
"""

import numpy as np
import torch

from lp_core.errors import InputError


def expected_calibration_error(
    probs: torch.Tensor | np.ndarray, labels: torch.Tensor | np.ndarray, bins: int = 15
) -> float:
    """The mean gap between confidence and accuracy over bins of equal width, a fraction in 0–1.

    probs: N×classes, rows sum to one. labels: N class indices. Bin m of M holds the images whose
    highest probability lies in ((m−1)/M, m/M], and weighs as many as it holds. NaN where a
    probability is not finite (a run that diverged). Raises InputError for no images, fewer than
    one bin, shapes that do not fit, and rows that are no probabilities.
    """
    # Float64 on the CPU: sums then do not depend on the device, nor on the order of threads.
    table = torch.as_tensor(probs).detach().to("cpu", torch.float64)
    truth = torch.as_tensor(labels).to("cpu")
    if bins < 1:
        raise InputError(f"bins is {bins}; give 1 or more")
    if table.ndim != 2 or truth.shape != table.shape[:1] or table.numel() == 0:
        raise InputError(
            f"probs of shape {tuple(table.shape)} and labels of shape {tuple(truth.shape)} do not "
            "fit; give N×classes and N, with N at least 1"
        )
    if not table.isfinite().all():
        return float("nan")
    # Loose enough for sums of half-precision softmax, tight enough to notice logits.
    if table.min() < 0 or (table.sum(1) - 1).abs().max() > 0.02:
        raise InputError("rows of probs do not sum to 1; give the softmax of the logits")
    confidence, predicted = table.max(1)
    inner_edges = torch.arange(1, bins, dtype=torch.float64) / bins
    bin_of = torch.bucketize(confidence, inner_edges)
    gap = torch.bincount(bin_of, (predicted == truth).double() - confidence)
    return float(gap.abs().sum() / len(table))
