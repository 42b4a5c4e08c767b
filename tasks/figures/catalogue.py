"""The figures in the order of the report, each with what a reader should know beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from tasks.figures import accuracy, connectivity, matrices
from tasks.figures.corruptions import corruptions
from tasks.figures.ensembles import ensembles
from tasks.figures.masks import masks
from tasks.figures.results import Results
from tasks.figures.uncertainty import uncertainty


@dataclass(frozen=True)
class Entry:
    """draw: figures by file name; raises NoData where there is nothing to draw.

    caption: which figure of the paper it carries out, and what the paper reports, in our words.
    """

    heading: str
    caption: str
    draw: Callable[[Results], dict[str, Figure]]


@dataclass(frozen=True)
class Chapter:
    """Figures that answer one question."""

    heading: str
    entries: list[Entry]


CHAPTERS = [
    Chapter(
        "Why tickets can be averaged",
        [
            Entry(
                "Averaged pairs",
                "Each cell is the mean of two tickets, pruned to the density of the sparser; the "
                "diagonal holds the tickets themselves (Figure 1 of the paper). The paper finds "
                "that neighbours average to something better than either when they were rewound, "
                "and that accuracy collapses off the diagonal when they were not.",
                matrices.heatmap,
            ),
            Entry(
                "Averaged pairs against the sparser ticket",
                "The same cells less the accuracy of the ticket whose density they have: blue is "
                "a gain, red a loss. This is the paper's claim about Figure 1, read directly; an "
                "arrow on the colour bar means that cells lie beyond its ends.",
                matrices.heatmap_gain,
            ),
            Entry(
                "Along the line between neighbours",
                "Error and loss on the straight, unpruned line from each ticket to the next "
                "sparser (Figure 2 of the paper). In the paper the lines of rewound tickets sag "
                "between their ends, so that something on the line is better than both; without "
                "rewinding they rise in high hills.",
                connectivity.interpolation,
            ),
            Entry(
                "Barriers between neighbours",
                "The highest error on each of those lines above the mean of its ends. A pair "
                "below 2 points is counted as linearly connected by convention; a line without "
                "any hill still has half the difference of its ends.",
                connectivity.barriers,
            ),
            Entry(
                "Disagreement",
                "How differently two tickets predict: the share of test images that they label "
                "differently, and the KL divergence of their predictions (Figure 8 of the paper, "
                "which has the first). The paper finds that neighbours agree most, and that "
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
                "Tickets, pooled tickets and the baselines, on test images and on corrupted ones "
                "(Figure 3a–c of the paper). The paper reports that Lottery Pools improves every "
                "density, interpolation a little more than averaging, and that SWA and EMA fall "
                "behind as tickets get sparse.",
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
                "paper). The paper sees more candidates help in general, most of all the dense "
                "network.",
                accuracy.candidates,
            ),
            Entry(
                "Number of coefficients",
                "How many weights are tried for each candidate; one is plain averaging (Figure 5 "
                "of the paper). In the paper a single coefficient is the weakest, and seven are "
                "little better than three.",
                accuracy.coefficients,
            ),
            Entry(
                "When to prune",
                "After each interpolation, or once when the search is over (Figure 6 of the "
                "paper). The paper finds pruning at the end far worse at low density, since what "
                "was chosen unpruned need not survive it.",
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
                "better in both. Not in the paper.",
                uncertainty,
            ),
            Entry(
                "Corruption by corruption",
                "Where the gain on corrupted images comes from; the paper gives only the mean. "
                "Blue cells are gains, red ones losses.",
                corruptions,
            ),
            Entry(
                "What pooling does to the mask",
                "A pooled ticket keeps as many weights as before, but not the same ones: the "
                "share that changes places, and by how much the layers' densities shift. Not in "
                "the paper.",
                masks,
            ),
        ],
    ),
]
