"""Checksums that tell a damaged file from a whole one, and digests that stand for tensors.

A checksum is a CRC-32: whatever changes up to 32 bits in a row changes it, anything else all but
once in four billion times. It costs a fraction of a second for a gigabyte, a third to a tenth of
what a cryptographic digest costs; nobody forges these files. A digest is a name that must never be
two things' (a ticket's lineage holds them), hence a SHA-256.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lp_core.errors import DamagedError

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK = 1 << 20
_SEALED = re.compile(r'\{"checksum": "([0-9a-f]{8})",\n(.*)', re.DOTALL)

# Files that this process has found whole: path, size, time of last change, checksum.
_whole: set[tuple[Path, int, int, str]] = set()


class Checksum:
    """The checksum of what it is fed, piece by piece; as text it is 8 hex digits."""

    def __init__(self, piece: bytes | memoryview = b"") -> None:
        self._value = zlib.crc32(piece)

    def update(self, piece: bytes | memoryview) -> None:
        """Take in the next piece."""
        self._value = zlib.crc32(piece, self._value)

    def __str__(self) -> str:
        return f"{self._value:08x}"


def file_checksum(path: Path) -> str:
    """Of a file's bytes; a megabyte of it is in memory at a time. Raises OSError."""
    checksum = Checksum()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            checksum.update(piece)
    return str(checksum)


def require_whole(path: Path, checksum: str) -> None:
    """Compare a file with the checksum that was kept of it, once in a process.

    Raises DamagedError where it is another one, or the file cannot be read.
    """
    try:
        status = path.stat()
        seen = (path, status.st_size, status.st_mtime_ns, checksum)
        if seen in _whole:
            return
        found = file_checksum(path)
    except OSError as error:
        raise DamagedError(path, f"cannot be read ({error.strerror})") from error
    if found != checksum:
        raise DamagedError(path, f"damaged: its checksum is {found}, not {checksum}")
    _whole.add(seen)


def sealed(text: str) -> str:
    """A JSON object, whose text is given, with the checksum of that text as its first member."""
    rest = text.removeprefix("{")
    return f'{{"checksum": "{Checksum(rest.encode())}",\n{rest}'


def unsealed(text: str, *members: str) -> dict[str, Any]:
    """The JSON object that was `sealed`, which has the `members` that are named.

    Raises ValueError where the text is not what `sealed` gave, or lacks one of them.
    """
    match = _SEALED.fullmatch(text)
    if not match:
        raise ValueError("it has no checksum; an older version wrote it, or something else")
    checksum, rest = match.groups()
    if (found := str(Checksum(rest.encode()))) != checksum:
        raise ValueError(f"damaged: its checksum is {found}, not {checksum}")
    value: dict[str, Any] = json.loads(f"{{{rest}")
    if lacking := [member for member in members if member not in value]:
        raise ValueError(f"it lacks {', '.join(lacking)}; another version wrote it")
    return value


def tensors_digest(about: str, tensors: Mapping[str, "Tensor"]) -> str:
    """64 hex digits that stand for tensors on the CPU and for `about`, a text that goes with them.

    Names, shapes, types and values of the tensors shape it, the order in which they are given does
    not.
    """
    from torch import uint8

    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(uint8).numpy().data)
    return digest.hexdigest()
