"""A cache object that was damaged on disk: the stage that reads it says what would do, and it does.

DVC takes a read-only object of its cache for a whole one, restores it, and finds all up to date.
"""

import hashlib
import re
import stat
from pathlib import Path

from tests.dag.project import Project

# What is damaged, and a stage that reads it and none of the others.
READERS = {
    "tickets/base/0/1.safetensors": "landscape@base-0",
    "data/digits-C/snow.npy": "ood@no-rewind-0-round0",
    "sparse/base/rigl/0.safetensors": "ending@base-0-rigl-plain",  # its ticket is gone then
    "rows/imp/base/0/0.json": "tables",
}


def _cached(project: Project, content: bytes) -> Path:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return project.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def _damage(project: Project, name: str) -> None:
    """Flip a bit of the cache's copy, leave it read-only, and have DVC restore the file."""
    path = project.root / name
    content = path.read_bytes()
    cached = _cached(project, content)
    spoilt = bytearray(content)
    spoilt[len(spoilt) // 2] ^= 1
    cached.chmod(0o644)
    cached.write_bytes(spoilt)
    cached.chmod(0o444)
    path.unlink()
    project.dvc("checkout", "--force")
    assert path.read_bytes() == spoilt, "DVC restores it"


def test_what_the_messages_say_mends_damaged_cache_objects(project: Project) -> None:
    whole = {name: (project.root / name).read_bytes() for name in READERS}
    for name in READERS:
        _damage(project, name)
    assert "up to date" in project.dvc("status")

    remedies = []
    for name, reader in READERS.items():
        output = project.dvc("repro", "--force", "--single-item", reader, check=False)
        (line,) = re.findall(r"^error: .*", output, re.MULTILINE)
        assert line.startswith(f"error: {name}: ")
        remedy = f"rm -r {name}; chmod -R u+w .dvc/cache; dvc repro"
        assert line.endswith(f"; remove it and make it anew: {remedy}")
        remedies.append(remedy)

    removals = [remedy.removesuffix("; dvc repro") for remedy in remedies[1:]]
    project.run("bash", "-c", "; ".join([*removals, remedies[0]]))
    for name, content in whole.items():
        mended = (project.root / name).read_bytes()
        assert mended == content or name.startswith("rows")  # they hold how long a stage took
        assert _cached(project, mended).read_bytes() == mended
        assert not _cached(project, mended).stat().st_mode & stat.S_IWUSR
    assert project.repro() == []
