"""Imports that cannot be: `python -m tasks.params` names the key, before a file is read."""

from pathlib import Path
from typing import Any

from tests.bad_input.table import Case, Spoil, both, check, params, table

_SAVED = tuple(f"seed{seed}/{ticket}.pt" for seed in (0, 1) for ticket in (0, 1))


def _files(*names: str) -> Spoil:
    def spoil(root: Path) -> None:
        for name in names:
            (root / "saved" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "saved" / name).touch()

    return spoil


def _import(
    name: str,
    *files: str,
    given: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
) -> Case:
    """A variant `mine` of the files in saved/. given: of its settings; changes: of all others."""
    own = {"path": "saved", "pattern": "seed{seed}/{ticket}.pt"} | (given or {})
    values = {"imports": {"mine": own}, "variants/mine": {}, "pooling/variants": ["base", "mine"]}
    return Case(name, both(params(values | (changes or {})), _files(*files)), "tasks.params")


_FORKS = {"sgd_noise/variants": ["base"], "sgd_noise/crossed_tickets": [1]}


@table(
    "imports",
    _import("no-path", *_SAVED, given={"path": ""}),
    _import("no-pattern", *_SAVED, given={"pattern": ""}),
    _import("other-braces", *_SAVED, given={"pattern": "{seed}/{round}.pt"}),
    _import("from-above", *_SAVED, given={"pattern": "../{seed}.pt"}),
    _import("key-is-a-number", *_SAVED, given={"key": 3}),
    _import("unknown-key", *_SAVED, given={"format": "pt"}),
    _import(
        "no-such-variant",
        *_SAVED,
        changes={
            "imports": {"yours": {"path": "saved", "pattern": "seed{seed}/{ticket}.pt"}},
            "pooling/variants": ["base"],
        },
    ),
    _import("trained-as-well", *_SAVED, changes={"grid": ["base", "mine"]}),
    _import("two-seeds-and-no-number", *_SAVED, given={"pattern": "seed0/*.pt"}),
    _import("what-stages-write", given={"path": "tickets/base"}),
    _import("no-folder"),
    _import("folder-of-5000-letters", given={"path": "a" * 5000}),
    _import("folder-with-a-newline", *_SAVED, given={"path": "saved\n"}),
    _import("no-match", "notes.txt"),
    _import("no-file-of-a-seed", *_SAVED[:2]),
    _import("more-than-rounds", *_SAVED, "seed1/2.pt", given={"pattern": "seed{seed}/*.pt"}),
    _import("no-file-of-a-ticket", *_SAVED[:3]),
    _import("ticket-twice", *_SAVED, "seed0/01.pt"),
    _import("pool-of-nobody", *_SAVED, changes={"pooling/variants": ["base", "yours"]}),
    _import("fork", *_SAVED, changes={"sgd_noise/variants": ["mine"]}),
    _import(
        "lent-mask",
        *_SAVED,
        changes={**_FORKS, "sgd_noise/crossed": [{"masks": "mine", "training": "base"}]},
    ),
)
def test_an_import_that_cannot_be(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)
