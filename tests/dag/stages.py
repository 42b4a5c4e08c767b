"""The stages of the tiny experiment (`tests.dag.project.TINY`) by what they do."""

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
RESULTS = ["tables", "report"]
AFTER_TRAINING = [*LANDSCAPES, *POOLING, *ENSEMBLE, *OOD, *OOD_POOL, *RESULTS]
