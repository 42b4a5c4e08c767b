"""The figures in the order of the report, each with what a reader should know beside it."""

from tasks.reporting.imp_pool.figures import accuracy, connectivity, matrices
from tasks.reporting.imp_pool.figures.corruptions import corruptions
from tasks.reporting.imp_pool.figures.ensembles import ensembles
from tasks.reporting.imp_pool.figures.masks import masks
from tasks.reporting.imp_pool.figures.uncertainty import uncertainty
from tasks.reporting.part import Chapter, Entry

_BATCH_NORM = (
    "Batch norm is re-estimated on the tickets as on every average, unless "
    "`pooling.scoring.batch_norm` says otherwise; the authors' code re-estimates on all training "
    "images."
)
_CORRUPTED = (
    "A number for corrupted images is the mean over all corruptions and severities of the run: 19 "
    "corruptions unless `corrupt` lists fewer, while the usual benchmark counts 15."
)


CHAPTERS = [
    Chapter(
        "Why tickets can be averaged",
        [
            Entry(
                "Averaged pairs",
                "Each cell is the test accuracy of the mean of two tickets, pruned to the density "
                "of the sparser; the diagonal shows the tickets themselves (Figure 1 of the "
                f"paper). {_BATCH_NORM} The paper finds that neighbours average to something "
                "better than either when they were rewound, and that accuracy collapses off the "
                "diagonal when they were not.",
                matrices.heatmap,
            ),
            Entry(
                "Averaged pairs against the sparser ticket",
                "The same cells minus the accuracy of the sparser ticket, whose density they "
                "have: blue is a gain, red a loss. This shows the paper's claim about Figure 1 "
                "directly. An arrow at an end of the colour bar means that cells lie beyond it.",
                matrices.heatmap_gain,
            ),
            Entry(
                "Along the line between neighbours",
                "Test error and loss on the straight, unpruned line from each ticket to the next "
                f"sparser one (Figure 2 of the paper). {_BATCH_NORM} In the paper the lines of "
                "rewound tickets sag between their ends, so that some point is better than both; "
                "without rewinding they rise into high hills.",
                connectivity.interpolation,
            ),
            Entry(
                "Barriers between neighbours",
                "The highest error on each of those lines minus the mean error of its two ends. "
                "By convention, a pair with less than 2 points counts as linearly connected. A "
                "line that never rises above its ends still has half their difference.",
                connectivity.barriers,
            ),
            Entry(
                "Disagreement",
                "How differently two tickets predict: the share of test images that they label "
                "differently, and the KL divergence of their predictions (Figure 8 of the paper "
                "shows the former). The paper finds that neighbours agree most, and that "
                "disagreement grows with distance.",
                matrices.disagreement,
            ),
        ],
    ),
    Chapter(
        "What pooling gains",
        [
            Entry(
                "Accuracy against density",
                "Tickets and the methods of `pooling.corrupted`, on test images and on corrupted "
                "ones (Figure 3a–c of the paper, which also shows SWA and EMA). The paper reports "
                "that Lottery Pools improves every density, interpolation a little more than "
                f"averaging, and that SWA and EMA fall behind as tickets get sparse. {_CORRUPTED}",
                accuracy.accuracy,
            ),
        ],
    ),
    Chapter(
        "Settings of the search",
        [
            Entry(
                "Number of candidates",
                "The search may draw on the nearest tickets only, or on all (Figure 4 of the "
                "paper). In the paper more candidates help in general, the dense network most of "
                "all.",
                accuracy.candidates,
            ),
            Entry(
                "Number of coefficients",
                "How many coefficients are tried for each candidate; a single one, 0.5, is plain "
                "averaging (Figure 5 of the paper). In the paper a single coefficient is the "
                "weakest, and seven are little better than three.",
                accuracy.coefficients,
            ),
            Entry(
                "When to prune",
                "After each interpolation, or once when the search is over (Figure 6 of the "
                "paper). The paper finds pruning at the end far worse at low density, since a "
                "mixture chosen unpruned may not survive being pruned.",
                accuracy.prune,
            ),
        ],
    ),
    Chapter(
        "Against an ensemble",
        [
            Entry(
                "Pooling against averaging outputs",
                "Each ticket with its nearest siblings, pooled into one network or kept side by "
                "side with their logits averaged (Figure 7 of the paper). The paper finds pooling "
                "about as accurate, at the cost of a single network.",
                ensembles,
            ),
        ],
    ),
    Chapter(
        "Beyond the paper",
        [
            Entry(
                "Soups",
                "Uniform soup averages all tickets; greedy soup adds them from the best "
                "downwards while held-out accuracy does not fall. Both are pruned to the target's "
                "density. Neither is in the paper.",
                accuracy.soups,
            ),
            Entry(
                "Uncertainty",
                "Expected calibration error (15 bins) and negative log-likelihood: lower is "
                f"better in both. Not in the paper. {_CORRUPTED}",
                uncertainty,
            ),
            Entry(
                "Corruption by corruption",
                "Where the gain on corrupted images comes from, for the first method of "
                "`pooling.corrupted`; the "
                "paper gives only the mean, and the usual benchmark has 15 of these corruptions. "
                "Bars are means over severities, cells over the corruptions of a family; blue "
                "cells are gains, red ones losses.",
                corruptions,
            ),
            Entry(
                "What pooling does to the mask",
                "A pooled ticket keeps as many weights as before, but not always the same ones: "
                "the share that changes places, and by how much the layers' densities shift. Not "
                "in the paper.",
                masks,
            ),
        ],
    ),
]
