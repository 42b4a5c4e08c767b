"""Runs that several processes share, as torchrun starts them: `tiny`'s own, one whose gradients do
not fit into one message, sparse trainings with Sup-tickets, and one that counts forgetting."""

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import nn

from lp_core.training.distributed import Workers
from lp_core.training.forgetting import Forgetting
from lp_core.training.hooks import Hook
from tests.lp_core.sparse import SUP, method, sparse_run
from tests.lp_core.tiny import CLASSES, TRAINING_IMAGES, TinyRun, shared
from tests.lp_core.training.forgetting_recounted import Predictions
from tests.lp_core.training.toy_hooks import PruneAndGrow, RunningAverage


def wide_network() -> nn.Module:
    """3 MiB: DistributedDataParallel sums its gradients in several buckets."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(256, CLASSES),
    )


def main(folder: Path) -> None:
    """Leaves what `shared` does, and each process's digests of the wide network's two runs: at one
    go and resumed."""
    workers = Workers()
    shared(folder, workers)
    whole = TinyRun(epochs=2, network=wide_network, workers=workers, hooks=_hooks)
    whole.train()
    whole.again(state=folder / "wide-state", stop=1).train()
    resumed = whole.again(state=folder / "wide-state")
    resumed.train()
    digests = [_digest(run.model) for run in (whole, resumed)]
    (folder / f"{workers.rank}.json").write_text(json.dumps(digests))
    sparse = {name: _sparse(name, workers) for name in ("snip", "set", "rigl", "granet")}
    (folder / f"sparse-{workers.rank}.json").write_text(json.dumps(sparse))
    (folder / f"forgetting-{workers.rank}.json").write_text(
        json.dumps(_forgetting(folder, workers))
    )
    workers.close()


def _sparse(name: str, workers: Workers) -> dict[str, object]:
    """What a sparse training with Sup-tickets came to in this process."""
    taken: list[int] = []
    run = sparse_run(
        method(name), SUP, workers=workers, on_ticket=lambda number, _: taken.append(number)
    )
    run.train()
    masks = run.trainer.progress.masks
    kept = {layer: mask.nonzero().tolist() for layer, mask in masks.items()}
    return {"weights": _digest(run.model), "kept": kept, "taken": taken}


def _forgetting(folder: Path, workers: Workers) -> dict[str, object]:
    """What this process counted, and what it saw, of a training that was stopped on the way."""
    predictions = Predictions()
    run = TinyRun(
        epochs=5,
        lr=0.2,
        workers=workers,
        state=folder / "forgetting-state",
        hooks=lambda: [predictions, Forgetting(TRAINING_IMAGES)],
    )
    run.again(stop=2).train()
    run.train()
    counts = run.trainer.hooks[1]
    assert isinstance(counts, Forgetting)
    tensors = (counts.events, counts.learned, counts.presented)
    return {
        "count": [*(tensor.tolist() for tensor in tensors), counts.by_epoch],
        "seen": predictions.seen,
    }


def _hooks() -> list[Hook]:
    """Some that come to the same in every process, since they see the same gradients."""
    return [PruneAndGrow(), RunningAverage()]


def _digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
