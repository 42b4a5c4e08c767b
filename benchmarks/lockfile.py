"""What dvc.lock costs each stage as it grows: DVC's own way, and the one that the flow gives it.

`python -m benchmarks.lockfile [--entries 100 300 1000] [--repeats 3]` makes a dvc.lock of that many
entries in a temporary folder. A stage reads its entry and, when it has run, writes it anew; both
ways take turns. Prints medians in CPU milliseconds.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def write(path: Path, entries: int) -> None:
    """A dvc.lock of so many entries, each like one of IMP's."""
    from dvc.utils.serialize import dumps_yaml

    def file(name: str) -> dict[str, object]:
        return {"path": name, "hash": "md5", "md5": hashlib.md5(name.encode()).hexdigest()}

    inputs = ("code/imp.json", "code/networks.json", "data", "tickets/base/0/rewind")
    sections = {
        "dataset": "digits",
        "model": {"name": "resnet8"},
        "compute": {"device": "cpu", "precision": "auto", "threads": 1},
        "train": {"epochs": 8, "batch_size": 64, "momentum": 0.9, "augment": {"crop": 1}},
    }
    lines = []
    for number in range(entries):
        outs = [file(f"tickets/base/0/{number}"), file(f"rows/imp/base/0/{number}.json")]
        entry = {
            "cmd": f"python -m tasks.imp --variant base --seed 0 --ticket {number}",
            "deps": [file(name) for name in (*inputs, f"tickets/base/0/{number - 1}")],
            "params": {"params.yaml": sections},
            "outs": outs,
        }
        text = dumps_yaml({"stages": {f"imp@base-0-round{number}": entry}})
        lines.append(text.removeprefix("stages:\n"))
    path.write_text("schema: '2.0'\nstages:\n" + "".join(lines))


def main() -> None:
    """Times both ways and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    from dvc import dvcfile
    from dvc.fs import localfs

    from flows import lockfile

    usual_load, usual_modify = dvcfile.Lockfile._load_yaml, dvcfile.modify_yaml
    lockfile.install()
    ways = {
        "DVC": (usual_load, usual_modify),
        "the flow": (dvcfile.Lockfile._load_yaml, dvcfile.modify_yaml),
    }
    print("| entries | " + " | ".join(f"{way}: read | write" for way in ways) + " | bytes |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for entries in arguments.entries:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "dvc.lock")
            write(path, entries)
            name = f"imp@base-0-round{entries // 2}"
            lock = dvcfile.Lockfile(SimpleNamespace(fs=localfs, root_dir=folder), str(path))

            def read(way: str, lock: Any = lock, name: str = name) -> Any:
                return ways[way][0](lock)[0]["stages"][name]

            def rewrite(way: str, path: Path = path, name: str = name) -> None:
                with ways[way][1](str(path)) as data:
                    entry = dict(data["stages"][name])
                    data["stages"].update({name: {**entry, "cmd": f"{time.monotonic_ns()}"}})

            done: dict[tuple[str, Any], list[float]] = {}
            for _ in range(arguments.repeats):
                for way in ways:
                    for act in (read, rewrite):
                        done.setdefault((way, act), []).append(_cpu_ms(act, way))
            cells = [f"{statistics.median(times):.1f}" for times in done.values()]
            print(f"| {entries:,} | {' | '.join(cells)} | {path.stat().st_size:,} |", flush=True)


def _cpu_ms(act: Callable[[str], Any], way: str) -> float:
    start = time.process_time()
    act(way)
    return 1000 * (time.process_time() - start)


if __name__ == "__main__":
    main()
