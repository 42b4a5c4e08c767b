"""Stages that train on several devices at once start themselves again under torchrun."""

import os
import shlex
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from lp_core.errors import InputError
from lp_core.training.spec import TrainSpec
from tasks.kit.cli import die_with_parent, explained
from tasks.kit.params import Params

_FAULT_FILE = "LP_INPUT_FAULT"


def under_torchrun(
    main: Callable[[Namespace], None], variant: str = "variant"
) -> Callable[[Namespace], None]:
    """The stage, made to start itself under torchrun where `train.devices` is more than one.

    variant: the argument that names the variant it trains.

    torchrun ends with exit code 1 whatever its processes end with. So the first of them that finds
    bad input writes the message to a file, and the stage raises it as an InputError.
    """

    def stage(arguments: Namespace) -> None:
        if "RANK" in os.environ:
            return _work(main, arguments)
        devices = Params(getattr(arguments, variant)).section("train", TrainSpec).devices
        if devices == 1:
            return main(arguments)
        return _launch(main, devices)

    stage.__module__ = main.__module__
    return stage


def _launch(main: Callable[[Namespace], None], devices: int) -> None:
    module = sys.modules[main.__module__].__spec__
    assert module is not None, "stages are started as `python -m tasks.<stage>`"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(devices), "-m", module.name, *sys.argv[1:]),
    ]
    print(shlex.join(command), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        fault = Path(folder) / "fault"
        environment = os.environ | {_FAULT_FILE: str(fault)}
        code = subprocess.run(
            command, env=environment, check=False, preexec_fn=die_with_parent
        ).returncode
        if fault.exists():
            raise InputError(fault.read_text())
    if code:
        sys.exit(code)


def _work(main: Callable[[Namespace], None], arguments: Namespace) -> None:
    """One of the processes."""
    die_with_parent()
    try:
        main(arguments)
    except InputError as error:
        if file := os.environ.get(_FAULT_FILE):
            Path(file).write_text(explained(error))
        raise
