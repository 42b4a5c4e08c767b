"""The stages of the tiny experiment (`tests.dag.project.TINY`) by what they do."""

# Of the flow imp-pool.
TRAINING = [
    f"{stage}@{variant}-0{item}"
    for variant in ("base", "no-rewind")
    for stage, item in (("pretrain", ""), ("imp", "-round0"), ("imp", "-round1"))
]
LANDSCAPES = ["landscape@base-0", "landscape@no-rewind-0"]
POOLING = ["pool@base-0-interpolation", "pool@base-0-swa", "pool@base-0-greedy-soup"]
ENSEMBLE = ["ensemble@base-0"]
OOD = [f"ood@{variant}-0-round{k}" for variant in ("base", "no-rewind") for k in (0, 1)]
OOD_POOL = ["ood_pool@base-0-interpolation", "ood_pool@base-0-swa"]
IMP_POOL = [*TRAINING, *LANDSCAPES, *POOLING, *ENSEMBLE, *OOD, *OOD_POOL]

# Of the flow sup-tickets.
SPARSE = ["sparse@base-0-rigl"]
ENDINGS = ["ending@base-0-rigl-plain", "ending@base-0-rigl-cia"]
ENDING_SCORES = ["ending_scores@base-0-rigl-plain", "ending_scores@base-0-rigl-cia"]
OOD_ENDING = ["ood_ending@base-0-rigl-cia"]
SIBLING = ["sibling@base-0-rigl-interpolation"]  # which builds on both
SUP_TICKETS = [*SPARSE, *ENDINGS, *ENDING_SCORES, *OOD_ENDING, *SIBLING]

FIRST = ["params", "code", "dataset@digits", "corrupt@digits"]
RESULTS = ["tables", "report"]
ALL = [*FIRST, *IMP_POOL, *SUP_TICKETS, *RESULTS]
