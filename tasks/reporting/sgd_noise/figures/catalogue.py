"""This flow's figures in the order of the report, each with what a reader should know beside it."""

from tasks.reporting.part import Chapter, Entry
from tasks.reporting.sgd_noise.figures import (
    crossed,
    forgetting,
    instability,
    predictors,
    rewinding,
    tickets,
    untrained,
)
from tasks.reporting.sgd_noise.results import Results

_PANELS = "A panel for each momentum μ and batch size; colours are rewind points."

CHAPTERS: list[Chapter[Results]] = [
    Chapter(
        "Instability to SGD noise",
        [
            Entry(
                "Error barrier at each start",
                "Trainings that fork from one start and differ in data order and augmentation "
                "alone: how far the error rises on the straight line between two of them above "
                "the mean of its ends (equation 3; Figures 1, 3–5 and 17 of the paper for the "
                "dense network, 8 and 9 for tickets). The paper finds the barrier higher with "
                "momentum, and lower with larger batches and with pretraining.",
                instability.barriers,
            ),
            Entry(
                "Lines between forks",
                f"{_PANELS} The same lines, point by point; batch norm's statistics are made anew "
                "at every point as `pooling.scoring.batch_norm` says.",
                instability.paths,
            ),
            Entry(
                "Consecutive tickets",
                f"{_PANELS} The barrier between the tickets of neighbouring rounds (Figures 2 and "
                "10–12 of the paper). There the tickets of stable settings come to lie in one "
                "basin as density falls, even where the dense network is not stable.",
                tickets.neighbours,
            ),
            Entry(
                "The first stable epoch",
                "A panel for each momentum μ and batch size. A binary search, which takes for "
                "granted that later epochs are more stable; its last probe checks that (Table 15 "
                "of the paper: 2 to 13 epochs without momentum, 18 to 85 with, fewer with larger "
                "batches).",
                rewinding.stable_rewind,
            ),
        ],
    ),
    Chapter(
        "Forgetting",
        [
            Entry(
                "Forgetting events along training",
                f"{_PANELS} A sample is forgotten when it was predicted right the last time that "
                "it was trained on, and is wrong now (Figure 6 of the paper). Counted from the "
                "fork on. The paper finds more events with momentum, most of all late.",
                forgetting.forgetting,
            ),
            Entry(
                "Without the easiest or the hardest samples",
                "Forks at the rewind point that leave out the samples forgotten least or most "
                "often (Figure 7 of the paper). There, leaving out the hardest lowers the barrier "
                "and the accuracy, and leaving out the easiest changes neither much. Fewer images "
                "are fewer steps, too.",
                forgetting.subsets,
            ),
        ],
    ),
    Chapter(
        "Tickets",
        [
            Entry(
                "Accuracy by density",
                f"{_PANELS} A ringed ticket wins: its mean test accuracy is no lower than the "
                "dense network's (Tables 2 and 11–14, Figures 13–16 of the paper). As there, a "
                "mean includes seeds that did not converge; it then has a star.",
                tickets.accuracy,
            ),
            Entry(
                "Shorter mask searches",
                "AIMP: masks found by trainings of fewer epochs, then trained in full (Tables 3 "
                "and 16 of the paper). There it helps unstable settings and costs stable ones.",
                crossed.aimp,
            ),
            Entry(
                "Mask search against sparse training",
                "The settings of the mask search are kept and those of the sparse training change "
                "(Table 4 of the paper). There the mask search matters more for sparse tickets.",
                crossed.crossed,
            ),
        ],
    ),
    Chapter(
        "Untrained tickets",
        [
            Entry(
                "Linear probes",
                "A panel for each momentum μ and batch size. A linear classifier on the pooled "
                "features of each block of a frozen network: the rewind point under the ticket's "
                "mask (Tables 5, 17 and 18, Figures 18–20 of the paper). There, stable settings "
                "have features that grow with depth, and a permuted mask has none beyond the "
                "dense network's.",
                untrained.probes,
            ),
            Entry(
                "Transfer to other data sets",
                "A linear classifier on the last features of the frozen ticket (Tables 6, 19 and "
                "20 of the paper). There, tickets of stable settings transfer far better.",
                untrained.transfer,
            ),
            Entry(
                "Training on few images",
                "A panel for each momentum μ and batch size. Tickets trained on a class-balanced "
                "part of the images, drawn at random (Tables 7, 21 and 22, Figures 21–23 of the "
                "paper). There, tickets of stable settings need far fewer.",
                untrained.few_shot,
            ),
        ],
    ),
    Chapter(
        "Where the papers meet",
        [
            Entry(
                "What tells the gain of pooling",
                "The gain that pooling has for a ticket, against two numbers that are known before "
                "it is pooled. In neither paper. The tickets of one seed share their dense "
                "network, so the interval draws whole seeds; of few seeds it says little.",
                predictors.predictors,
            ),
        ],
    ),
]
