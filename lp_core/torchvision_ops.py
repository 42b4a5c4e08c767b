"""Makes `import torchvision` work beside a torch build that cannot load torchvision's operators.

A CUDA build of torchvision beside a CPU build of torch fails at import with "operator
torchvision::nms does not exist", although transforms, models and data sets need no such operator.
Import this module before torchvision; where the operators load, or torchvision is absent, it
changes nothing.
"""

import importlib.util
from pathlib import Path

import torch

# What torchvision describes to the compiler at import, and so must be declared by then.
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

# A declaration lasts as long as its Library object lives.
_declared: list[torch.library.Library] = []


def _operators_load() -> bool:
    """Whether torchvision's own operator library loads into this torch, as its import will do."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed: importing it is to fail with Python's own message
    libraries = sorted(
        path for suffix in ("so", "pyd") for path in Path(spec.origin).parent.glob(f"_C*.{suffix}")
    )
    try:
        for library in libraries:
            torch.ops.load_library(str(library))  # loading twice is harmless
    except OSError:
        return False
    return bool(libraries)


def declare_missing_operators() -> None:
    """Declares the schemas of `torchvision::nms` and `torchvision::qnms` where they do not exist.

    Calling the operators still fails, with torch's own message; importing torchvision does not.
    """
    if hasattr(torch.ops.torchvision, "nms") or _operators_load():
        return
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)


declare_missing_operators()
