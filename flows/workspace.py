"""Where stages run: a folder with the project, and what goes in and out of it with each stage.

A worker shares the coordinator's workspace, or has a clone of its own, with a DVC remote between
them (`flows.clone`). Which of the two it is, it finds out by a token that the coordinator leaves in
`.dvc/tmp`. In a run with clones, the remote gets what is made in the coordinator's workspace, too.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State

from flows import errand
from flows.agreement import Agreement, agree
from flows.dvc import repro_command
from flows.graph import Graph, Stage
from flows.processes import Commands
from lp_core.errors import InputError

TOKEN = Path(".dvc", "tmp", "coordinator")


def _digest_of_flows() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


# The code of the flows as this process runs it, whatever becomes of the files: a worker may be
# months old.
_LOADED = _digest_of_flows()


@dataclass(frozen=True)
class Facts:
    """What a worker has to know of the coordinator before it runs stages.

    token: what TOKEN holds in the coordinator's workspace. api_url: the Prefect server that stages
    report to. clones: what a clone must agree with; None where every worker shares the workspace.
    flows: the code of the flows that the coordinator runs.
    """

    root: str
    host: str
    token: str
    api_url: str | None
    clones: Agreement | None = None
    flows: str = _LOADED


@dataclass(frozen=True)
class Inputs:
    """What a stage in a clone builds on, as the coordinator has it. See `errand.Errand`."""

    entries: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """One stage, as the coordinator asks for it.

    gpus: how many it needs to itself. inputs: what a clone has to take in first
    (`Exchange.inputs`).
    """

    stage: str
    force: bool = False
    gpus: int = 0
    inputs: Inputs = field(default_factory=Inputs)


@dataclass(frozen=True)
class Workspace:
    """A folder in which stages run as they do on the command line."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)  # beside the stages' usual one

    def command(self, order: Order) -> list[str]:
        """What brings the stage up to date here; it prints what `dvc repro` prints."""
        return repro_command(order.stage, order.force)

    def made(self, order: Order) -> Any:  # noqa: ARG002
        """What the coordinator takes in (`Exchange.take_in`) once the command has succeeded."""
        return None


@dataclass(frozen=True)
class WorkspaceWithRemote(Workspace):
    """A workspace in a run with clones: the coordinator's, or a clone.

    agreement: what it has in common with the others. own: whether it is a clone.
    """

    agreement: Agreement = field(kw_only=True)
    own: bool = field(kw_only=True)

    def command(self, order: Order) -> list[str]:
        files = self.agreement.files if self.own else {}
        sources = order.inputs.sources if self.own else {}
        wanted = errand.Errand(order.force, order.inputs.entries, files, sources, tidy=self.own)
        return errand.command(self.root, order.stage, wanted)

    def made(self, order: Order) -> Any:
        return errand.answer(self.root, order.stage)


class MisfitError(RuntimeError):
    """What came back of a stage does not belong to what went out."""


class Exchange:
    """The coordinator's side: what goes out with each stage, and what comes back.

    This is the one of workers that share the workspace; `flows.exchange` has the other.
    """

    with_clones = False

    def begin(self, graph: Graph) -> None:
        """Gets ready for the stages of `graph`. InputError where it cannot."""

    def is_local(self, stage: Stage) -> bool:  # noqa: ARG002
        """Whether the stage runs in the coordinator's process whatever workers there are."""
        return False

    def inputs(self, stage: Stage) -> Inputs:  # noqa: ARG002
        """What goes along with the stage. InputError where the project here is no longer what the
        run began with, and so what workers have."""
        return Inputs()

    def take_in(self, stage: str, made: Any) -> None:
        """Takes what a worker's `Workspace.made` gave, before any stage downstream starts.

        MisfitError where it is of something else.
        """

    def finish(self, graph: Graph, states: Mapping[str, State[Any]]) -> None:
        """Makes everything lie here that the completed stages have made."""


@contextmanager
def only_coordinator(root: Path) -> Iterator[None]:
    """InputError where another flow run has workers for the workspace: they would be at odds."""
    path = root / ".dvc" / "tmp" / "coordinator.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"dask: another flow run has workers for {root}; wait for it, or end it"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield


def leave_token(root: Path) -> str:
    """Leaves a fresh token in the coordinator's workspace, and gives it."""
    from lp_core.files import atomic_write

    token = uuid.uuid4().hex
    (root / TOKEN).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(root / TOKEN) as temporary:
        temporary.write_text(token, encoding="utf-8")
    return token


def is_shared(facts: Facts, root: Path) -> bool:
    """Whether `root` is the coordinator's workspace, seen from wherever this is called."""
    try:
        return (root / TOKEN).read_text(encoding="utf-8") == facts.token
    except OSError:
        return False


def find_workspace(facts: Facts, root: Path, commands: Commands) -> Workspace:
    """The workspace in `root` for stages of the coordinator. InputError where it does not fit.

    commands: of the worker that is to run them.
    """
    shared = is_shared(facts, root)
    if facts.flows != _LOADED and (shared or facts.clones is not None):
        raise InputError(
            "this worker runs other flows than the coordinator; start the older of the two again, "
            "in files of the newer version"
        )
    if shared:
        environment = {}
        host = socket.gethostname()
        if host != facts.host:
            # What DVC remembers of files lies in SQLite, which hosts must not share.
            site = root / ".site-cache" / host
            (site / "repo").mkdir(parents=True, exist_ok=True)  # DVC would let everyone write there
            environment["DVC_SITE_CACHE_DIR"] = str(site)
        if facts.clones is None:
            return Workspace(root, environment)
        return WorkspaceWithRemote(root, environment, agreement=facts.clones, own=False)
    if facts.clones is None:
        raise InputError(
            f"{root} is not the workspace of the flow ({facts.host}:{facts.root}), whose other "
            "workers share that folder; start the worker there, or all of them in clones"
        )
    agree(facts.clones, root, commands)
    return WorkspaceWithRemote(root, agreement=facts.clones, own=True)


def working_root() -> Path:
    """The project that this process was started in. InputError where it was in none."""
    from flows.graph import find_root

    return Path(os.path.realpath(find_root()))
