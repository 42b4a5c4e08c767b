"""A split image set as it lies on disk: what the stage `dataset` writes and every other one reads.

A folder holds `dataset.json` and, for each of train, val and test, either arrays that are mapped
into memory or, for a streamed set, a Parquet list of image files. `dataset.json` has a checksum of
each of them and of itself.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lp_core.checksums import file_checksum, require_whole, sealed, unsealed
from lp_core.errors import DamagedError, InputError, MissingInputError

if TYPE_CHECKING:
    import pyarrow

SPLITS = ("train", "val", "test")
DESCRIPTION = "dataset.json"


@dataclass(frozen=True)
class Split:
    """Images: uint8, N×C×H×W, best laid out channels_last; labels: int64, N."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Listing:
    """Image files of a streamed split: paths below `root`, labels (int64, N), and file sizes.

    sizes: in bytes (int64, N). Nobody reads them: they make the stored set, on which training
    depends, another one where a file was replaced by another of its name.
    """

    root: Path
    paths: "pyarrow.Array"  # its items share no reference counts, so forked workers copy nothing
    labels: Tensor
    sizes: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """Where the image file of this index lies."""
        return str(self.root / self.paths[index].as_py())


@dataclass(frozen=True)
class Dataset:
    """An image set in three splits; the held-out `val` decides, `test` only reports.

    size: side in pixels, or [height, width]; channels: 1 or 3; mean, std: per channel, of the
    training split's images scaled to 0-1; parts: the splits by name, all of one kind.
    """

    name: str
    classes: list[str]
    channels: int
    size: int | list[int]
    mean: list[float]
    std: list[float]
    parts: Mapping[str, Split | Listing]

    @property
    def streamed(self) -> bool:
        """Whether the splits list files instead of holding pixels."""
        return isinstance(self.parts["train"], Listing)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        height, width = [self.size] * 2 if isinstance(self.size, int) else self.size
        return self.channels, height, width

    def split(self, name: str) -> Split:
        """Images and labels of "train", "val" or "test". InputError where the set is streamed."""
        part = self._part(name)
        if isinstance(part, Split):
            return part
        raise InputError(f"data set {self.name} is streamed; read it with lp_core.data.loading")

    def listing(self, name: str) -> Listing:
        """The files of one split of a streamed set. InputError where it is not streamed."""
        part = self._part(name)
        if isinstance(part, Listing):
            return part
        raise InputError(f"data set {self.name} is not streamed; use split({name!r})")

    def labels(self, name: str) -> Tensor:
        """Labels of one split (int64, N), streamed or not."""
        return self._part(name).labels

    def _part(self, name: str) -> Split | Listing:
        if name not in self.parts:
            raise InputError(f"{name!r} is no split; a data set has {', '.join(SPLITS)}")
        return self.parts[name]

    def save(self, folder: str | Path) -> None:
        """Writes the set, replacing `folder` whole: a run that is killed leaves the old one."""
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
        stale = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        try:
            fresh.mkdir()
            self._write(fresh)
            if folder.exists():
                folder.rename(stale)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(stale, ignore_errors=True)

    def _write(self, folder: Path) -> None:
        described: dict[str, object] = {
            "name": self.name,
            "classes": self.classes,
            "channels": self.channels,
            "size": self.size,
            "mean": self.mean,
            "std": self.std,
            "streamed": self.streamed,
        }
        for name, part in self.parts.items():
            if isinstance(part, Split):
                pixels = part.images.permute(0, 2, 3, 1).contiguous().numpy()
                np.save(folder / f"{name}.images.npy", pixels)
                np.save(folder / f"{name}.labels.npy", part.labels.numpy())
            else:
                described["root"] = part.root.as_posix()
                _write_listing(part, folder / f"{name}.parquet")
        described["files"] = {file.name: file_checksum(file) for file in sorted(folder.iterdir())}
        (folder / DESCRIPTION).write_text(sealed(json.dumps(described, indent=1) + "\n"))

    @classmethod
    def load(cls, folder: str | Path) -> "Dataset":
        """Maps a saved set into memory, once its files have been read and are as they were saved.

        Raises MissingInputError where there is none, and DamagedError, naming the file, where one
        is not what `save` wrote.
        """
        folder = Path(folder)
        description = folder / DESCRIPTION
        if not description.is_file():
            raise MissingInputError(f"{folder} holds no data set; run the stage dataset to make it")
        try:
            described = unsealed(description.read_text(), "streamed", "files", *_SHARED)
        except (OSError, ValueError) as error:
            raise DamagedError(description, str(error)) from error
        for name, checksum in described["files"].items():
            require_whole(folder / name, checksum)
        parts: dict[str, Split | Listing] = {
            name: _read_listing(folder / f"{name}.parquet", Path(described["root"]))
            if described["streamed"]
            else _map_arrays(folder, name)
            for name in SPLITS
        }
        return cls(parts=parts, **{key: described[key] for key in _SHARED})


_SHARED = ("name", "classes", "channels", "size", "mean", "std")


def _map_arrays(folder: Path, name: str) -> Split:
    # Copy-on-write: torch takes no read-only memory, and nobody writes here.
    images, labels = (
        torch.from_numpy(np.load(folder / f"{name}.{kind}.npy", mmap_mode="c"))
        for kind in ("images", "labels")
    )
    return Split(images.permute(0, 3, 1, 2), labels)


def _write_listing(listing: Listing, path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {
        "path": listing.paths,
        "label": pyarrow.array(listing.labels.numpy()),
        "bytes": pyarrow.array(listing.sizes.numpy()),
    }
    parquet.write_table(pyarrow.table(columns), path)


def _read_listing(path: Path, root: Path) -> Listing:
    from pyarrow import parquet

    table = parquet.read_table(path, columns=["path", "label", "bytes"])
    labels, sizes = (torch.tensor(table[name].to_numpy()) for name in ("label", "bytes"))
    return Listing(root, table["path"].combine_chunks(), labels, sizes)
