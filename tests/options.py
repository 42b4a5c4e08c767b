"""The options of a command, without running it."""

import argparse
import runpy
from typing import Any, NoReturn

import pytest


def options(module: str, patch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """By name: what `python -m <module> --help` says of each option and argument."""
    found: dict[str, str | None] = {}

    def parse_args(parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        found.update({action.dest: action.help for action in parser._actions})
        raise SystemExit(0)

    patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    patch.setattr("sys.argv", [module])
    with pytest.raises(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    return found
