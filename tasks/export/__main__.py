"""Write tickets as files that are run without this project, each with a model card beside it.

Each file is loaded again and run on test images of the ticket's data set, and appears only if its
logits are the network's. Takes tickets of any kind: of imp-pool, pooled, of a sparse training.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lp_core.errors import InputError
from tasks.kit.cli import INVALID_INPUT, OneLineParser, explained

_KINDS = ("state_dict", "safetensors", "onnx", "torch-export")
_REWIND = "rewind.safetensors"  # nobody's result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Exit codes as those of a stage: 2 for bad input, 1 for a fault; 130 after
    Ctrl-C."""
    try:
        if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # set while this was imported
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _run(arguments)
    except KeyboardInterrupt:
        print("Ended by SIGINT; run again", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _run(arguments: Sequence[str] | None) -> None:
    from lp_core.exporting import ExportError

    try:
        given = _parsed(arguments)
        plan = list(_plan(given.files, given.output, given.to))
        _require_apart(plan)
        for ticket, file in plan:
            _export(ticket, file, given.to)
    except InputError as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        sys.exit(INVALID_INPUT)
    except ExportError as error:
        sys.exit(f"error: {error}; nothing was written in its place")


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(prog="python -m tasks.export", description=__doc__)
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="a ticket, such as pools/base/0/interpolation/3.safetensors, or a folder: all tickets "
        "below it but rewind points",
    )
    parser.add_argument(
        "--to",
        choices=_KINDS,
        required=True,
        help="state_dict: weights for network.load_state_dict (.pt); safetensors: the same without "
        "pickle; onnx: the whole network for onnxruntime and others; torch-export: the whole "
        "network for torch.export.load (.pt2). onnx needs the extra `export`",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("exports"),
        metavar="DIR",
        help="folder to write to; below it the files lie as the tickets do (default: exports)",
    )
    return parser.parse_args(arguments)


def _plan(given: Sequence[Path], output: Path, kind: str) -> Iterator[tuple[Path, Path]]:
    """Each ticket's file, and the file to make of it."""
    from lp_core.exporting import FORMATS

    for path in given:
        tickets = list(_below(path)) if path.is_dir() else [path]
        if not tickets:
            raise InputError(
                f"{path}: no ticket below it; name a ticket, or a folder that has some"
            )
        for ticket in tickets:
            yield ticket, output / _placed(ticket).with_suffix(FORMATS[kind].suffix)


def _below(folder: Path) -> Iterator[Path]:
    """All tickets below a folder. What else lies there (forgetting events, say) is passed over."""
    for file in sorted(folder.rglob("*.safetensors")):
        if file.name != _REWIND and _may_be_ticket(file):
            yield file


def _may_be_ticket(file: Path) -> bool:
    """Whether a file says that it is one; of a damaged one nobody knows until it is loaded."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return "ticket" in (opened.metadata() or {})
    except SafetensorError:
        return True


def _placed(ticket: Path) -> Path:
    """Where a file lies below the output: as below this folder, or by its name alone."""
    resolved = Path(os.path.abspath(ticket))
    here = Path.cwd()
    return resolved.relative_to(here) if resolved.is_relative_to(here) else Path(resolved.name)


def _require_apart(plan: Sequence[tuple[Path, Path]]) -> None:
    """Raises InputError where a file would be written twice, or over a ticket."""
    sources = {ticket.resolve(): ticket for ticket, _ in plan}
    made: dict[Path, Path] = {}
    for ticket, file in plan:
        target = file.resolve()
        if target in sources:
            raise InputError(f"--output: {file} is the ticket itself; name another folder")
        if made.setdefault(target, ticket).resolve() != ticket.resolve():
            raise InputError(f"{made[target]} and {ticket} would both become {file}; export one")


def _export(source: Path, file: Path, kind: str) -> None:
    from lp_core.exporting import ExportError, export
    from lp_core.files import atomic_write
    from lp_core.tickets import Ticket
    from tasks.export.card import Card
    from tasks.export.images import test_images

    ticket = Ticket.load(source)
    network = ticket.network()
    images = test_images(ticket)
    card, beside = Card(ticket, source, kind, file.name), file.with_name(f"{file.name}.md")
    try:
        with atomic_write(beside) as described, atomic_write(file) as made:
            difference = export(card.network.build, network, kind, made, images, card.about)
            described.write_text(card.text(network, len(images), difference))
            # From here on a kill leaves a file without a card, never with another file's.
            beside.unlink(missing_ok=True)
    except ExportError as error:
        raise ExportError(f"{source}: {error}") from error
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    except OSError as error:
        raise InputError(f"--output: {file} cannot be written ({error.strerror})") from error
    print(f"{file}: checked on {len(images)} test images; {file.name}.md is its card", flush=True)


if __name__ == "__main__":
    main()
