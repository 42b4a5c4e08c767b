"""Where the artifacts lie, below the project's root. dvc.yaml names the same places."""

from pathlib import Path

RESULTS = Path("results")
ROWS = Path("rows")
VALID = Path("data", "params.valid")
RESUME = Path(".resume")


def code(name: str) -> Path:
    """A fingerprint that the stage `code` writes: of a stage, or of what the params name."""
    return Path("code", f"{name}.json")


def dataset(name: str) -> Path:
    """Folder of arrays or lists."""
    return Path("data", name)


def corrupted(name: str) -> Path:
    """Folder of corrupted test sets."""
    return Path("data", f"{name}-C")


def ticket(variant: str, seed: int, number: int | str) -> Path:
    """A trained ticket, or the rewind point (`rewind`)."""
    return Path("tickets", variant, str(seed), f"{number}.safetensors")


def pooled(variant: str, seed: int, method: str, number: int) -> Path:
    """A pooled ticket, of the density of ticket `number`."""
    return Path("pools", variant, str(seed), method, f"{number}.safetensors")


def rows(stage: str, variant: str, seed: int, item: str | int) -> Path:
    """Table rows that a stage leaves for the stage `tables`."""
    return ROWS / stage / variant / str(seed) / f"{item}.json"
