"""Writing files so that a reader never sees half of one."""

import glob
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place in one step.

    What was at `path` stays whole until then; on an error the temporary file is removed. Where a
    kill has left one of `path`, the next write of `path` on that machine removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    host = f".{path.name}.{platform.node()}."
    for left in path.parent.glob(f"{glob.escape(host)}*"):
        if not _is_running(left.name.removeprefix(host).partition(".")[0]):
            left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{host}{os.getpid()}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes files that only their owner may read; give what open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):  # no such name is ours; another user's
        pass
    return True
