"""A made-up project of many small stages, in the shape of the project's own graph.

Chains of 20 stages, as iterative magnitude pruning makes them, for five seeds and as many variants
as it takes. A stage depends on data, on the one before, on fingerprints of its code and on seven
sections of params, and makes two files. Its command is `python -m tasks.stage OUTS…`, which writes
a few bytes and notes when it began and ended.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

CHAIN, SEEDS = 20, 5
VARIANT = CHAIN * SEEDS  # stages of one variant
SHARED = 3  # stages before them
OWN = "own.log"  # a line for each stage that ran: when its command began and ended

_DVC_YAML = """\
stages:
  params:
    cmd: python -m tasks.stage params.valid
    deps: [params.yaml]
    outs: [params.valid]
  code:
    cmd: python -m tasks.stage code/imp.json code/networks.json
    deps: [params.valid, lp_core]
    outs: [code]
  dataset:
    cmd: python -m tasks.stage data/images
    params: [datasets.digits]
    deps: [params.valid]
    outs: [data]
  pretrain:
    matrix: {variant: "${grid}", seed: "${seeds}"}
    cmd: >-
      python -m tasks.stage tickets/${item.variant}/${item.seed}/rewind
      rows/pretrain/${item.variant}/${item.seed}/rewind.json
    params: [dataset, model, compute, train, rewind, "variants.${item.variant}"]
    deps: [params.valid, code/imp.json, code/networks.json, data]
    outs:
      - tickets/${item.variant}/${item.seed}/rewind
      - rows/pretrain/${item.variant}/${item.seed}/rewind.json
  imp:
    matrix: {variant: "${grid}", seed: "${seeds}", round: "${imp.rounds}"}
    cmd: >-
      python -m tasks.stage tickets/${item.variant}/${item.seed}/${item.round.ticket}
      rows/imp/${item.variant}/${item.seed}/${item.round.ticket}.json
    params: [dataset, model, compute, train, imp.fraction, "variants.${item.variant}"]
    deps:
      - code/imp.json
      - code/networks.json
      - data
      - tickets/${item.variant}/${item.seed}/rewind
      - tickets/${item.variant}/${item.seed}/${item.round.parent}
    outs:
      - tickets/${item.variant}/${item.seed}/${item.round.ticket}
      - rows/imp/${item.variant}/${item.seed}/${item.round.ticket}.json
"""
_PARAMS = """\
dataset: digits
datasets: {digits: {source: digits, val_fraction: 0.2}}
model: {name: resnet8}
compute: {device: cpu, precision: auto, channels_last: true, threads: 1}
train: {epochs: 8, batch_size: 64, momentum: 0.9, augment: {crop: 1, flip: false}, devices: 1}
rewind: {epochs: 2}
"""
_STAGE = """\
import os, pathlib, sys, time
began = time.time()
for out in map(pathlib.Path, sys.argv[1:]):
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"{out}\\n")
with open("own.log", "a") as log:
    log.write(f"{began} {time.time()}\\n")
"""
_IGNORED = ("params.valid", "code", "data", "tickets", "rows", OWN, "__pycache__", ".site-cache")
_CONFIG = (
    "[core]\n    analytics = false\n    check_update = false\n    site_cache_dir = .site-cache\n"
)


def bring_up_to_date(root: Path, variants: int) -> int:
    """Has DVC record all stages but those of the last `variants`; gives how many are left.

    In one process, and dvc.lock written once: to run them would take an hour where it has
    thousands.
    """
    from dvc.repo import Repo, lock_repo
    from dvc.repo.reproduce import get_active_graph
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dump_yaml
    from networkx import dfs_postorder_nodes

    from flows import parsed

    parsed.install()
    entries: dict[str, Any] = {}
    left = 0
    with contextlib.chdir(root), Repo(str(root)) as repo, lock_repo(repo):
        stages = list(dfs_postorder_nodes(get_active_graph(repo.index.graph)))
        last = sorted({variant_of(stage.name) for stage in stages} - {-1})[-variants:]
        for stage in stages:
            if variant_of(stage.name) in last:
                left += 1
                continue
            for out in stage.cmd.split()[3:]:
                Path(out).parent.mkdir(parents=True, exist_ok=True)
                Path(out).write_text(f"{out}\n")
            stage.save()
            stage.commit()
            entries |= to_lockfile(stage)
        dump_yaml("dvc.lock", {"schema": "2.0", "stages": entries})
    return left


def variant_of(stage: str) -> int:
    """The number of the variant that a stage belongs to; -1 for those that all share."""
    match = re.search(r"@variant(\d+)-", stage)
    return int(match[1]) if match else -1


def build(root: Path, variants: int) -> int:
    """Writes the project into `root`, a Git repository; gives how many stages it has.

    None of them has run.
    """
    rounds = ["rewind", *map(str, range(CHAIN - 1))]
    names = [f"variant{number}" for number in range(variants)]
    params = [
        _PARAMS,
        "imp:\n  fraction: 0.2\n  rounds:\n",
        *(f"    - {{ticket: {t}, parent: {p}}}\n" for p, t in pairwise(rounds)),
        f"seeds: {list(range(SEEDS))}\n",
        f"grid: [{', '.join(names)}]\n",
        "variants:\n",
        *(f"  {name}: {{train: {{batch_size: {8 + n}}}}}\n" for n, name in enumerate(names)),
    ]
    files = {
        ".gitignore": "".join(f"/{name}\n" for name in _IGNORED),
        ".dvc/config": _CONFIG,
        ".dvc/.gitignore": "/tmp\n/cache\n",
        "dvc.yaml": _DVC_YAML,
        "params.yaml": "".join(params),
        "tasks/__init__.py": "",
        "tasks/stage.py": _STAGE,
        # The flow has params validated by the project's own code; here is nothing to check.
        "tasks/kit/__init__.py": "",
        "tasks/kit/experiment.py": "def validate(path): pass\n",
        **{f"lp_core/part{n // 10}/module{n}.py": f"x = {n}\n" for n in range(100)},
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "start"]):
        who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@localhost"]
        subprocess.run(["git", *who, *command], cwd=root, check=True)
    return SHARED + variants * VARIANT
