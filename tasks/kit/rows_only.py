"""Trainings that leave nothing but rows: those of the stages `cross`, `few_shot` and
`few_shot_forgotten`.

No stage but `tables` reads what they leave, so that it is `tables` that drops their states; and
each of them drops those that DVC has recorded before, for there can be thousands.
"""

from collections.abc import Iterable

from lp_core.errors import DamagedError
from tasks.kit import paths, resume
from tasks.kit.leftovers import is_recorded
from tasks.kit.rows import Row, read_rows


def cross_name(masks: str, training: str, seed: int, ticket: int) -> str:
    """What a training of the stage `cross` is called, and its state by it."""
    return resume.stage_name("cross", masks, training, seed, ticket)


def few_shot_name(
    variant: str, seed: int, ticket: int, network: str, percent: int, selection: str
) -> str:
    """The same of the stage `few_shot`; where the selection is not random, `few_shot_forgotten`."""
    stage = "few_shot" if selection == "random" else "few_shot_forgotten"
    return resume.stage_name(stage, variant, seed, ticket, network, percent, selection)


def forget_recorded(heads: Iterable[Row]) -> None:
    """Drop the states of the trainings whose rows have been read, by the heads of these; for rows
    are read when DVC has recorded them. No other training's: it may have to end yet."""
    resume.forget_each({name for head in heads if (name := _name(head))})


def forget_cached(stage: str) -> None:
    """Drop the states of the trainings of a stage whose rows DVC's cache holds already."""
    for file in (paths.ROWS / stage).rglob("*.json"):
        try:
            if is_recorded(file):
                forget_recorded([read_rows(file).head])
        except (OSError, DamagedError):
            continue  # gone or damaged: its own stage's matter, or that of `tables`


def _name(head: Row) -> str | None:
    variant, seed = head["variant"], head["seed"]
    if head["stage"] == "cross":
        return cross_name(variant, head["training"], seed, head["ticket"])
    if head["stage"] == "few_shot":
        item = (head[name] for name in ("ticket", "network", "percent", "selection"))
        return few_shot_name(variant, seed, *item)
    return None
