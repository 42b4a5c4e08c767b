"""Stage `dataset`: a source's images and labels, split into train, val and test."""

from argparse import Namespace

from lp_core.data.build import build_dataset
from lp_core.data.spec import DatasetSpec
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.params import Params


def main(arguments: Namespace) -> None:
    """Read, split, and write arrays (or lists of files, for a streamed set)."""
    name = arguments.dataset
    spec = Params().section(f"datasets.{name}", DatasetSpec)
    dataset = build_dataset(name, spec)
    dataset.save(paths.dataset(name))
    sizes = ", ".join(f"{len(dataset.labels(s))} {s}" for s in ("train", "val", "test"))
    print(f"dataset@{name}: {len(dataset.classes)} classes, {sizes}", flush=True)


if __name__ == "__main__":
    run(main, dataset="datasets")
