"""The section `sup_tickets` of params.yaml."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

_STRICT = ConfigDict(extra="forbid", strict=True)


class Siblings(BaseModel):
    """Sparse trainings whose tickets join pools of IMP tickets.

    methods: which trainings. ending: the one of theirs that the ticket comes from. pool: the method
    of `pooling` that pools it.
    """

    model_config = _STRICT

    methods: list[str]
    ending: str
    pool: str


class SupTickets(BaseModel):
    """What is trained sparsely from scratch, and how it ends.

    variants: which are trained so; none switches the flow off. methods: the trainings, by name
    under `training`. endings: how each of them ends, by name under `ending`. corrupted: endings
    measured on corrupted images, too. ablated, ablations: methods that get more endings, and these.
    ensembles: methods whose plain endings over all seeds are compared as an ensemble.
    efficient_ensembles: networks of several members, by name. start: epochs before endings part.
    calibration_images: training images that batch norm is re-estimated on. training: for each
    method a recipe by name, and its settings. ending: for each its settings.
    """

    model_config = _STRICT

    variants: list[str]
    methods: list[str]
    endings: list[str]
    corrupted: list[str]
    ablated: list[str]
    ablations: list[str]
    ensembles: list[str]
    efficient_ensembles: list[str]
    siblings: Siblings
    prunable: Literal["conv", "conv+linear"]
    start: int
    calibration_images: int
    training: dict[str, dict[str, str | int | float]]
    ending: dict[str, dict[str, str | int | float]]
