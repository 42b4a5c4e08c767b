"""The section `sgd_noise` of params.yaml: its keys and types, and what is wrong in it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

_STRICT = ConfigDict(extra="forbid", strict=True)


class Subsets(BaseModel):
    """Forks at the rewind point that train on a part of the images (appendix A.1).

    removed: what is left out, `easiest-30` for the 30% that were forgotten least often.
    """

    model_config = _STRICT

    variants: list[str]
    removed: list[str]


class Crossed(BaseModel):
    """Masks that the variant `masks` found, trained as the variant `training` (tables 3 and 4)."""

    model_config = _STRICT

    masks: str
    training: str


class Probes(BaseModel):
    """Linear classifiers on frozen features (section 5.1). tickets: by number; 0 is dense."""

    model_config = _STRICT

    tickets: list[int]
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float


class Transfer(BaseModel):
    """The probe after the last block on other data sets (table 6)."""

    model_config = _STRICT

    tickets: list[int]
    targets: list[str]


class FewShot(BaseModel):
    """Tickets trained on a part of the images (section 5.2). percent: of each class."""

    model_config = _STRICT

    tickets: list[int]
    networks: list[Literal["ticket", "permuted"]]
    percent: list[int]
    selections: list[Literal["least-forgotten", "most-forgotten"]]


class Step(BaseModel):
    """One probe of the binary search, and the one before it."""

    model_config = _STRICT

    step: int
    after: int | Literal["start"]


class StableRewind(BaseModel):
    """The search for the first stable epoch (appendix C.3)."""

    model_config = _STRICT

    variants: list[str]
    steps: list[Step]


class SgdNoise(BaseModel):
    """What is measured of the stability to SGD noise, and of what it buys.

    variants: none switches the flow off. noise: seeds of forks. starts: where they fork, `rewind`
    or a ticket's number. threshold: the error barrier from which a start is unstable.
    """

    model_config = _STRICT

    variants: list[str]
    noise: list[int]
    starts: list[int | Literal["rewind"]]
    threshold: float
    subsets: Subsets
    crossed: list[Crossed]
    crossed_tickets: list[int]
    probes: Probes
    transfer: Transfer
    few_shot: FewShot
    stable_rewind: StableRewind
