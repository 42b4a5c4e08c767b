"""Where the artifacts lie, below the project's root. dvc.yaml names the same places."""

from pathlib import Path

RESULTS = Path("results")
ROWS = Path("rows")
VALID = Path("data", "params.valid")
RESUME = Path(".resume")
END = "ticket.safetensors"  # what a training comes to, in the folder of its ending or fork
FORGETTING = "forgetting.safetensors"  # what a fork learned and forgot, beside it


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


def prefix(variant: str, method: str, seed: int) -> Path:
    """State of a sparse training where its endings part."""
    return Path("sparse", variant, method, f"{seed}.safetensors")


def ending(variant: str, method: str, name: str, seed: int) -> Path:
    """Folder of the tickets that one ending of a sparse training leaves."""
    return Path("endings", variant, method, name, str(seed))


def cheap(number: int) -> str:
    """File of a cheap ticket, from 1, in that folder."""
    return f"cheap-{number}.safetensors"


def rewind(mode: str) -> Path:
    """Folder of the rewind points' epochs: `fixed` or `stable`."""
    return Path("rewind", mode)


def rewind_point(mode: str, variant: str, seed: int) -> Path:
    """Where a run rewinds to; of mode `fixed` it says nothing, for params.yaml does."""
    return Path(rewind(mode), variant, f"{seed}.json")


def fork(variant: str, seed: int, start: str, noise: int) -> Path:
    """Folder of a training from a start: its ticket and its forgetting events."""
    return Path("forks", variant, str(seed), start, str(noise))


def difficulty(variant: str, seed: int, start: str) -> Path:
    """How hard each image is, as the forks of a start tell that params.yaml lists."""
    return Path("difficulty", variant, str(seed), f"{start}.safetensors")


def subset_fork(variant: str, seed: int, removed: str, noise: int) -> Path:
    """The same of one on a part of the images."""
    return Path("subset_forks", variant, str(seed), removed, str(noise))


def rewind_search(variant: str, seed: int, step: str | int) -> Path:
    """Folder of what the search for the first stable epoch knows after a step."""
    return Path("rewind_search", variant, str(seed), str(step))


def rows(stage: str, variant: str, seed: int, *item: str | int) -> Path:
    """Table rows that a stage leaves for the stage `tables`."""
    return Path(ROWS, stage, variant, str(seed), *map(str, item[:-1]), f"{item[-1]}.json")
