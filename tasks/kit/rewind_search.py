"""What the search for the first stable epoch knows after each of its steps (appendix C.3).

A step's folder has all that the next one needs: `search.json`, and the state of the training up to
the last epoch known to be unstable (or to its beginning), from which every later probe trains on.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lp_core.analysis.stability import StableSearch
from lp_core.checksums import sealed, unsealed
from lp_core.errors import DamagedError, InputError, MissingInputError
from lp_core.files import atomic_write
from tasks.kit import paths, resume
from tasks.kit.rows import Row

_FILE = "search.json"
STATE = "state.safetensors"
START = "start"  # the step before the first


@dataclass(frozen=True)
class RewindSearch:
    """After `step` of the search of a run. epochs: of a training. probes: rows of the table
    `rewind_probes`, in the order in which they were found out."""

    variant: str
    seed: int
    step: str | int
    epochs: int
    probes: list[Row] = field(default_factory=list)

    @property
    def search(self) -> StableSearch:
        """What follows from the probes."""
        return StableSearch(self.epochs, {row["epoch"]: row["stable"] for row in self.probes})

    def after(self, step: int, error_barrier: float, threshold: float) -> "RewindSearch":
        """With the next probe's result. error_barrier: mean over the pairs of forks."""
        search = self.search
        row = {
            "step": step,
            "epoch": search.next_probe,
            "error_barrier": error_barrier,
            "stable": error_barrier < threshold,  # NaN, of a fork that diverged, is not
            "check": search.found is not None,
        }
        return replace(self, step=step, probes=[*self.probes, row])

    def save(self) -> Path:
        """Write `search.json`. Returns the step's folder."""
        folder = paths.rewind_search(self.variant, self.seed, self.step)
        content = json.dumps(asdict(self) | {"step": str(self.step)})
        with atomic_write(folder / _FILE) as temporary:
            temporary.write_text(sealed(content))
        return folder

    @classmethod
    def load(cls, variant: str, seed: int, step: str | int, epochs: int) -> "RewindSearch":
        """Read it. epochs: of a training, as train.epochs says. Raises MissingInputError where it
        is not there, DamagedError for anything that `save` did not write there."""
        path = paths.rewind_search(variant, seed, step) / _FILE
        wanted = {"variant": variant, "seed": seed, "step": str(step)}
        if not path.is_file():
            raise MissingInputError(f"{path}: no such search; run its stage first")
        try:
            content = unsealed(path.read_text(), *wanted, "epochs", "probes")
            known = cls(variant, seed, step, content["epochs"], content["probes"])
            _ = known.search
        except (OSError, ValueError, TypeError, KeyError, InputError) as error:
            raise DamagedError(path, f"no search for a stable epoch ({error})") from error
        if any(content[name] != value for name, value in wanted.items()):
            told = ", ".join(f"{name} {content[name]}" for name in wanted)
            raise DamagedError(path, f"another search lies in its place ({told})")
        if known.epochs != epochs:
            found = f"a search in trainings of {known.epochs} epochs, but train.epochs is {epochs}"
            raise DamagedError(path, found)
        return known


def forget_states(variant: str, seed: int, step: str | int) -> None:
    """Drop the states of a finished step that is recorded: of the run itself and of its forks."""
    name = resume.stage_name("rewind_probe", variant, seed, step)
    resume.forget(name)
    resume.forget(f"{name}-*")
