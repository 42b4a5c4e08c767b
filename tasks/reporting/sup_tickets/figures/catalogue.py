"""This flow's figures in the order of the report, each with what a reader should know beside it."""

from tasks.reporting.part import Chapter, Entry
from tasks.reporting.sup_tickets.figures import ablations, accuracy, costs, cycles, meeting
from tasks.reporting.sup_tickets.figures.diversity import diversity
from tasks.reporting.sup_tickets.figures.layers import layers
from tasks.reporting.sup_tickets.results import Results

_PAIRED = (
    "Both endings start from the same state of the same training and see the same batches, so a "
    "difference is of the ending alone."
)
_ABLATED = (
    "Endings that differ in this setting alone, on the methods of `sup_tickets.ablated`, from the "
    "same state."
)

CHAPTERS: list[Chapter[Results]] = [
    Chapter(
        "Plain against Sup-tickets",
        [
            Entry(
                "Accuracy by method and density",
                "Hollow: the plain ending; filled: Sup-tickets (Tables 1–4 of the paper). "
                f"{_PAIRED} The paper counts gains in 63 of its own 66 settings, up to 0.5 points "
                "on CIFAR-10 and 1.08 on CIFAR-100 with VGG-16, and far more for SNIP on "
                "CIFAR-100.",
                accuracy.accuracy,
            ),
            Entry(
                "Sparse training against density",
                "The same endings as lines, for the recipes that were trained to several "
                "densities. In the paper GraNet with Sup-tickets is above the dense network at "
                "nearly every density.",
                costs.density,
            ),
            Entry(
                "Accuracy against training FLOPs",
                "FLOPs of the whole training as a fraction of the dense network's over the same "
                "steps, counted per layer from the masks as they were at each step; a step that "
                "materialises a dense gradient counts it (Table 3 of the paper). Averaging and "
                "validation count nothing.",
                costs.flops,
            ),
            Entry(
                "Uncertainty of both endings",
                "Expected calibration error (15 bins) and negative log-likelihood on test images: "
                "lower is better in both (Figure 5 of the paper, for RigL). The paper reports both "
                "lower with Sup-tickets.",
                accuracy.uncertainty,
            ),
            Entry(
                "Corrupted images",
                "Mean over all corruptions and severities of the run. Not in the paper.",
                accuracy.corrupted,
            ),
        ],
    ),
    Chapter(
        "Cycle by cycle",
        [
            Entry(
                "The last epochs of training",
                "Held-out accuracy after each epoch. The dotted line is where the endings part, "
                "every other cycle is grey; circles are the cheap tickets, stars the running "
                "average after each (Figures 1 and 2 of the paper show the scheme).",
                cycles.last_epochs,
            ),
            Entry(
                "Cheap tickets and their average",
                "Test accuracy of each cheap ticket by itself, and of the running average, pruned "
                "to the target's density, after it. The first average is the first ticket.",
                cycles.cheap,
            ),
        ],
    ),
    Chapter(
        "Settings of the ending",
        [
            Entry(
                "Averaging",
                f"{_ABLATED} Figure 3 of the paper: CIA is best, CIMA with β = 0.8 comes near, CAA "
                "is worst, most of all at 5% density.",
                ablations.averages,
            ),
            Entry(
                "Length of a cycle",
                f"{_ABLATED} The number of cheap tickets goes with it. Table 5 of the paper: 4 and "
                "8 epochs tend to be better than 2 and 12.",
                ablations.cycles,
            ),
            Entry(
                "Number of cheap tickets",
                "More of them in cycles as long, so superposing begins earlier. Figure 4 of the "
                "paper: four are best, and the superposed ticket is far above its cheap ones.",
                ablations.numbers,
            ),
            Entry(
                "Learning rate",
                f"{_ABLATED} Table 7 of the paper: the triangular schedule leads in 5 of 6 "
                "settings.",
                ablations.schedules,
            ),
            Entry(
                "Batch norm",
                f"{_ABLATED} The paper averages the statistics of the cheap tickets; its code "
                "re-estimates them.",
                ablations.batch_norms,
            ),
            Entry(
                "Exploration",
                f"{_ABLATED} The share of weights that are dropped and grown where a cycle opens. "
                "Not in the paper.",
                ablations.explorations,
            ),
        ],
    ),
    Chapter(
        "Diversity and layers",
        [
            Entry(
                "Diversity",
                "How differently the members of a group predict: mean over ordered pairs, on test "
                "images (Table 6 of the paper, which does not name its density). There the cheap "
                "tickets differ about as much as the members of efficient ensembles, and less than "
                "networks of different seeds.",
                diversity,
            ),
            Entry(
                "Densities of layers",
                "Above at the end of the plain ending, below the change since the first step. Not "
                "in the paper.",
                layers,
            ),
        ],
    ),
    Chapter(
        "Where the papers meet",
        [
            Entry(
                "Greedy search over cheap tickets",
                "Lottery Pools' search, on held-out images, with the last cheap ticket as its "
                "target and the earlier ones as candidates, against the plain average of all. In "
                "neither paper.",
                meeting.search,
            ),
            Entry(
                "A Sup-ticket among pruned siblings",
                "The search that pools tickets of iterative magnitude pruning is offered the "
                "Sup-ticket as its last candidate; filled marks: it was accepted; marks of one "
                "density are spread a little. The two were trained apart and share at most their "
                "first weights. In neither paper.",
                meeting.siblings,
            ),
        ],
    ),
]
