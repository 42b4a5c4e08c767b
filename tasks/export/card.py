"""The model card beside an exported file: what it is, how good it is, how to run it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from lp_core.analysis.flops import flops
from lp_core.models.architecture import Architecture
from lp_core.tickets import Ticket
from tasks.export.scores import measured
from tasks.kit.origin import commit, origin
from tasks.kit.params import PARAMS, Params

_KINDS = {
    "state_dict": "a state_dict, as torch.save writes it",
    "safetensors": "safetensors",
    "onnx": "ONNX (opset 20), input `images`, output `logits`",
    "torch-export": "a program of torch.export",
}


class Card:
    """Of one ticket, exported to one file. about: the same as values, for the file itself."""

    def __init__(self, ticket: Ticket, source: Path, kind: str, file: str) -> None:
        """source: the ticket's file. kind: of the export. file: its name."""
        self.ticket, self.source, self.kind, self.file = ticket, source, kind, file
        self.network = Architecture.of(ticket.meta["network"])
        whence = origin(Params()) if PARAMS.is_file() else {"commit": commit()}
        self.about: dict[str, Any] = {
            "network": self.network.meta,
            **{name: ticket.meta[name] for name in _LINEAGE if name in ticket.meta},
            "density": ticket.density,
            "ticket_file": source.as_posix(),
            "digest": ticket.digest,
            "commit": whence["commit"],
            "params_digest": whence.get("params_digest"),
        }

    def text(self, network: nn.Module, images: int, difference: float) -> str:
        """As Markdown. network: the ticket's. images: that the file was checked on, where its
        logits were off by `difference` of the largest."""
        checked = f"on {images} test images; logits differ by {difference:.1g} of the largest"
        rows = [
            *self._network(),
            *self._costs(network),
            *self._whence(),
            ("checked against PyTorch", checked),
        ]
        scores = measured(self.ticket)
        if scores.accuracies:
            of = ", ".join(f"`{path}`" for path in dict.fromkeys(scores.tables))
            accuracy = _table((name, f"{v:.2%}") for name, v in scores.accuracies.items())
            as_made = self.ticket.meta.get("precision", "fp32")
            apart = f", measured in {as_made}; this file computes in float32"
            accuracy += f"\nFrom {of}{apart if as_made != 'fp32' else ''}.\n"
        else:
            accuracy = (
                "The results tables have no rows with the digest of this ticket; "
                "`dvc repro tables` measures what params.yaml lists.\n"
            )
        classes = ", ".join(f"{i}: {name}" for i, name in enumerate(self.network.classes))
        return (
            f"# {self._title()}\n\n{_table(rows)}\n## Accuracy\n\n{accuracy}\n"
            f"## Classes, in the order of the logits\n\n{classes}\n\n"
            f"## How to run it\n\n`images`: float32, normalised as above.\n\n"
            f"```python\n{self._snippet()}\n```\n"
        )

    def _title(self) -> str:
        meta = self.ticket.meta
        kind = f", pooled by {meta['method']}" if "members" in meta else ""
        ending = f", {meta['method']}, ending {meta['ending']}" if "ending" in meta else ""
        density = f"{self.ticket.density:.1%} of its weights"
        return f"{self.network.name} for {meta['dataset']}, {density}{kind}{ending}"

    def _network(self) -> Iterator[tuple[str, str]]:
        net = self.network
        height, width = [net.size] * 2 if isinstance(net.size, int) else net.size
        arguments = f" with {json.dumps(net.arguments)}" if net.arguments else ""
        mean, std = ([round(value, 6) for value in values] for values in (net.mean, net.std))
        yield "file", f"`{self.file}`: {_KINDS[self.kind]}"
        yield "network", f"`{net.name}`{arguments}"
        yield "data set", f"{self.ticket.meta['dataset']}, {len(net.classes)} classes"
        yield "input", f"float32, N×{net.channels}×{height}×{width}, any number N of images"
        yield "normalisation", f"(pixels / 255 − mean) / std; mean {mean}, std {std}"
        yield "output", f"logits, N×{len(net.classes)}"

    def _costs(self, network: nn.Module) -> Iterator[tuple[str, str]]:
        ticket, net = self.ticket, self.network
        side = [net.size] * 2 if isinstance(net.size, int) else list(net.size)
        shape = (net.channels, *side)
        dense = sum(weight.numel() for weight in ticket.weights.values())
        kept, all_of_it = flops(network, shape, ticket.mask), flops(network, shape)
        yield "density", f"{ticket.density:.2%}: {ticket.kept:,} of {ticket.prunable:,} weights"
        left = dense - ticket.prunable + ticket.kept
        yield "parameters", f"{left:,} that are not pruned, of {dense:,}"
        yield (
            "FLOPs",
            f"{kept:,} an image, where zeros are skipped; {all_of_it:,} where they are not",
        )

    def _whence(self) -> Iterator[tuple[str, str]]:
        meta, about = self.ticket.meta, self.about
        run = [f"{name} {meta[name]}" for name in ("variant", "seed", "ticket") if name in meta]
        yield "run", ", ".join(run)
        if "members" in meta:
            members = ", ".join(map(str, meta["members"]))
            yield "members", f"tickets {members}, pooled by the method {meta['method']}"
        if "batch_norm" in meta:
            yield "batch-norm statistics", str(meta["batch_norm"])
        yield "made from", f"`{self.source}`, digest {about['digest']}"
        yield "commit", about["commit"] or "none: no git repository"
        yield "digest of the params", about["params_digest"] or f"none: no {PARAMS}"

    def _snippet(self) -> str:
        if self.kind == "onnx":
            return (
                "import onnxruntime\n\n"
                f'session = onnxruntime.InferenceSession("{self.file}")\n'
                '[logits] = session.run(None, {"images": images.numpy()})'
            )
        if self.kind == "torch-export":
            return (
                "import torch\n\n"
                f'network = torch.export.load("{self.file}").module()\n'
                "logits = network(images)"
            )
        load = {
            "state_dict": ("import torch", f'network.load_state_dict(torch.load("{self.file}"))'),
            "safetensors": (
                "from safetensors.torch import load_model",
                f'load_model(network, "{self.file}")',
            ),
        }
        imported, loaded = load[self.kind]
        return "\n".join(
            [
                imported,
                "from lp_core.models import build\n",
                f"network = build({', '.join(self._arguments())}).eval()",
                loaded,
                "logits = network(images)",
            ]
        )

    def _arguments(self) -> Sequence[str]:
        net = self.network
        shapes = [json.dumps(net.name), str(len(net.classes)), str(net.channels), str(net.size)]
        stem = [f'stem="{net.stem}"'] * (net.stem != "auto")
        given = [f"arguments={net.arguments!r}"] * bool(net.arguments)
        return [*shapes, *stem, *given, "seed=0"]


# Of a ticket's meta, what tells which it is.
_LINEAGE = ("dataset", "variant", "seed", "ticket", "method", "members", "ending", "part", "noise")


def _table(rows: Any) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines]) + "\n"
