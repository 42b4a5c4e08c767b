"""A network as a file that somebody else runs: a state_dict, safetensors, ONNX, torch.export.

Whatever the kind, the file is loaded again and run on real images before anyone gets it: the
logits must be those of the network, for one image as for many.
"""

import io
import json
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lp_core.errors import InputError

# Largest difference of a logit that is taken for rounding, as a part of the largest logit: other
# libraries add up in another order.
TOLERANCE = 1e-4

_OPSET = 20  # of ONNX; onnxruntime has it since 1.17
_FIXES_NUMBER = (
    "; a network that asks for len(images) fixes their number: let it ask for images.shape[0]"
)
_KEY = "lottery_pools"  # under which a file's metadata says what it is of

Run = Callable[[Tensor], Tensor]


class ExportError(RuntimeError):
    """A file was made that does not compute what the network computes."""


class Format(ABC):
    """A kind of file. suffix: of its name. packages: what it needs beside PyTorch, as an extra."""

    suffix: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def write(
        self, network: nn.Module, images: Tensor, path: Path, about: Mapping[str, Any]
    ) -> None:
        """Make the file of a network in eval mode. images: some of the kind that it takes, at
        least two. about: what the file is to say of itself, as far as its kind can."""

    @abstractmethod
    def read(self, path: Path, build: Callable[[], nn.Module]) -> Run:
        """The file as a function of images. build: makes the network, with any weights, for a file
        that holds weights alone."""


class StateDict(Format):
    """What `network.load_state_dict` takes, as `torch.save` writes it."""

    suffix = ".pt"

    def write(
        self, network: nn.Module, _images: Tensor, path: Path, _about: Mapping[str, Any]
    ) -> None:
        torch.save(network.state_dict(), path)

    def read(self, path: Path, build: Callable[[], nn.Module]) -> Run:
        network = build()
        network.load_state_dict(torch.load(path, weights_only=True))
        return network.eval()


class Safetensors(Format):
    """The same tensors without pickle, as `safetensors.torch.load_model` reads them."""

    suffix = ".safetensors"

    def write(
        self, network: nn.Module, _images: Tensor, path: Path, about: Mapping[str, Any]
    ) -> None:
        from safetensors.torch import save_model

        save_model(network, str(path), {_KEY: json.dumps(about)})

    def read(self, path: Path, build: Callable[[], nn.Module]) -> Run:
        from safetensors.torch import load_model

        network = build()
        load_model(network, path)
        return network.eval()


class TorchExport(Format):
    """The whole network as `torch.export.load` reads it, without its Python code."""

    suffix = ".pt2"

    def write(
        self, network: nn.Module, images: Tensor, path: Path, about: Mapping[str, Any]
    ) -> None:
        program = torch.export.export(network, (images,), dynamic_shapes=_any_number())
        # By way of memory, since it asks for a name that ends in .pt2.
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files={_KEY: json.dumps(about)})
        path.write_bytes(buffer.getvalue())

    def read(self, path: Path, _build: Callable[[], nn.Module]) -> Run:
        return torch.export.load(io.BytesIO(path.read_bytes())).module()


class Onnx(Format):
    """The whole network as ONNX; input `images`, output `logits`, any number of images."""

    suffix = ".onnx"
    packages = ("onnx", "onnxscript", "onnxruntime")

    def write(
        self, network: nn.Module, images: Tensor, path: Path, about: Mapping[str, Any]
    ) -> None:
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            opset_version=_OPSET,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=_any_number(),
            verbose=False,
        )
        assert program is not None
        program.model.metadata_props[_KEY] = json.dumps(about)
        program.save(str(path), external_data=False)

    def read(self, path: Path, _build: Callable[[], nn.Module]) -> Run:
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


FORMATS: dict[str, Format] = {
    "state_dict": StateDict(),
    "safetensors": Safetensors(),
    "onnx": Onnx(),
    "torch-export": TorchExport(),
}


@torch.no_grad()
def export(
    build: Callable[[], nn.Module],
    network: nn.Module,
    kind: str,
    path: Path,
    images: Tensor,
    about: Mapping[str, Any],
) -> float:
    """Make a file of a network and run it on images; returns the largest difference of a logit, as
    a part of the largest logit.

    build: makes the same architecture, with other weights.
    network: on the CPU, in eval mode.
    kind: one of FORMATS: `state_dict`, `safetensors`, `onnx`, `torch-export`.
    images: float32 N×C×H×W, normalised, real ones, at least two: the check is worth what they are.
    about: what the file says of itself, as JSON, where its kind has a place for it.

    Raises InputError where the kind cannot hold this network, lacks its packages, or the network's
    logits are no numbers; ExportError where the file computes something else.
    """
    form = FORMATS[kind]
    _require_packages(kind)
    expected = network(images)
    if not bool(expected.isfinite().all()):
        raise InputError("its logits are NaN or infinite: a network that diverged; export another")
    with _quietly():
        try:
            form.write(network, images[:2], path, about)
        except Exception as error:  # whatever the exporters meet in somebody's network
            reason = _reason(error)
            advice = _FIXES_NUMBER if "(batch)" in reason else ""
            raise InputError(f"cannot be exported to {kind}: {reason}{advice}") from error
        try:
            run = form.read(path, build)
            found = torch.cat([run(images), run(images[:1])])
        except Exception as error:  # whatever runs the file has errors of its own
            raise ExportError(
                f"the {kind} file cannot be run on {len(images)} images: {_reason(error)}"
                f"{_FIXES_NUMBER}"
            ) from error
    expected = torch.cat([expected, expected[:1]])
    if found.shape != expected.shape:
        shapes = [list(tensor.shape) for tensor in (found, expected)]
        raise ExportError(f"the {kind} file gives logits of shape {shapes[0]}, not {shapes[1]}")
    difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the {kind} file gives other logits than the network: they differ by {difference:.2g} "
            f"of the largest, on {len(images)} images; up to {TOLERANCE:g} would be rounding"
        )
    return difference


def _require_packages(kind: str) -> None:
    from importlib.util import find_spec

    if lacking := [name for name in FORMATS[kind].packages if find_spec(name) is None]:
        raise InputError(
            f"{kind} needs {', '.join(lacking)}; install them: pip install -c constraints.txt -e "
            "'.[export]'"
        )


def _reason(error: BaseException) -> str:
    """The first line of what was at the bottom of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip() if lines else 'it does not say why'}"


def _any_number() -> tuple[dict[int, Any]]:
    return ({0: torch.export.Dim("batch")},)


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporters speak of their own inner matters, and print what they could not trace."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = io.StringIO()
    try:
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
