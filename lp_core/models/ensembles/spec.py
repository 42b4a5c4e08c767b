"""Where efficient ensembles are found by name."""

ENSEMBLES = "lp_core.models.ensembles"
