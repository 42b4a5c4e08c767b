"""What code a stage runs, as a fingerprint that only a change of meaning changes.

A stage runs its module and all project modules that it imports, directly or not (its *closure*),
and the files that those modules name in a constant `READS`. The fingerprint lists them with a
digest each. A Python file's digest is of its syntax tree without docstrings: comments, docstrings
and formatting do not count. It is the same on Python 3.11 and newer, where `ast.dump`,
`ast.unparse` and the tokens of f-strings differ.

The stage `code` writes these fingerprints, DVC compares them, the guard checks them, and the key of
a resume state holds them: there is no second notion of "the code of a stage".
"""

import ast
import hashlib
import json
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lp_core.files import atomic_write

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("lp_core", "tasks")
_FOR_CHECKERS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
_MEMO = Path(".cache", "code.json")  # what files came to, by their bytes; may be deleted

Fingerprint = dict[str, str]


@dataclass(frozen=True)
class _Source:
    """One Python file: digest of what it means, modules that it may import, files that it reads."""

    digest: str
    imports: list[str]
    reads: list[str]


def fingerprint(modules: Iterable[str], root: Path = PROJECT) -> Fingerprint:
    """A digest for each file that the modules run, by its path below the project's root.

    modules: dotted names, such as `tasks.imp`. Raises InputError for a file that Python cannot
    parse, which is no code that a stage could run.
    """
    memo = _Memo(root)
    digests: Fingerprint = {}
    reads: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file(name, root)
        if path is None:
            waiting += _behind_face(name, root)
            continue
        if path in digests:
            continue
        source = memo.source(root / path)
        digests[path] = source.digest
        reads.update(source.reads)
        package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
        waiting += [_absolute(module, package) for module in source.imports]
        waiting.append(name.rpartition(".")[0])
    for path in reads:
        digests |= _raw(path, root)
    memo.keep()
    return dict(sorted(digests.items()))


def meaning(text: str) -> str:
    """The syntax tree of a Python file as one string, without docstrings.

    Comments, docstrings and layout do not show in it. An f-string counts as it is spelled, because
    its tree depends on the version of Python: other quotes are a change.
    """
    text = text.replace("\r\n", "\n")
    return "".join(_spelled(ast.parse(text), _lines(text)))


def difference(old: Fingerprint, new: Fingerprint) -> str | None:
    """The first file that is not the same in both, or None."""
    changed = (path for path in sorted(old | new) if old.get(path) != new.get(path))
    return next(changed, None)


def _file(module: str, root: Path) -> str | None:
    """A module's file below the root; None for what is no module of the project."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    base = module.replace(".", "/")
    return next((p for p in (f"{base}/__init__.py", f"{base}.py") if (root / p).is_file()), None)


def _absolute(module: str, package: str) -> str:
    """A relative name (`..kinds.snow`) as it is seen from a package; others as they are."""
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return module
    parents = package.split(".")
    parents = parents[: len(parents) - dots + 1]
    return ".".join([*parents, module[dots:]]).rstrip(".")


def _behind_face(name: str, root: Path) -> list[str]:
    """The module from which a package's lazy face takes a name, as its stub says."""
    package, _, attribute = name.rpartition(".")
    stub = root / package.replace(".", "/") / "__init__.pyi"
    if not stub.is_file():
        return []
    return [
        f"{package}.{line.module}"
        for line in ast.parse(stub.read_text()).body
        if isinstance(line, ast.ImportFrom) and attribute in [a.name for a in line.names]
    ]


def _raw(path: str, root: Path) -> Fingerprint:
    """Digests of a file, or of every file in a folder, as they lie on disk."""
    top = root / path
    files = sorted(p for p in top.rglob("*") if p.is_file()) if top.is_dir() else [top]
    return {f.relative_to(root).as_posix(): _digest(f.read_bytes()) for f in files if f.exists()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


class _Memo:
    """Remembers what files came to, by their bytes: parsing a hundred takes a third of a second."""

    def __init__(self, root: Path) -> None:
        self._path = root / _MEMO
        self._known: dict[str, Any] = {}
        self._more = False
        try:
            memo = json.loads(self._path.read_text())
            if memo["of"] == _own_digest():
                self._known = memo["files"]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or a broken one: a memo is only worth its time

    def source(self, path: Path) -> _Source:
        content = path.read_bytes()
        key = _digest(content)
        try:
            return _Source(**self._known[key])
        except (KeyError, TypeError):
            source = _read(path, content)
            self._known[key] = vars(source)
            self._more = True
            return source

    def keep(self) -> None:
        if self._more:
            with atomic_write(self._path) as temporary:
                temporary.write_text(json.dumps({"of": _own_digest(), "files": self._known}))


@cache
def _own_digest() -> str:
    return _digest(Path(__file__).read_bytes())


def _read(path: Path, content: bytes) -> _Source:
    from lp_core.errors import InputError

    text = content.decode()
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise InputError(f"{path}: line {error.lineno} is not Python ({error.msg})") from None
    return _Source(_digest(meaning(text).encode()), list(_imports(tree)), list(_reads(tree)))


def _imports(tree: ast.Module) -> Iterator[str]:
    """What may be imported, at the top or inside functions, but for type checkers alone."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in _FOR_CHECKERS:
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            dot = "" if origin.endswith(".") else "."
            yield origin
            yield from (f"{origin}{dot}{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def _reads(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if "READS" in map(ast.unparse, targets):
                yield from ast.literal_eval(node.value)


def _spelled(node: Any, lines: list[str]) -> Iterator[str]:
    """A tree in words: kinds and fields, the same for every version of Python."""
    if isinstance(node, ast.JoinedStr):
        yield f"f{_pieces(node, lines)!a}"
    elif isinstance(node, ast.Constant):
        yield f"{type(node.value).__name__}:{node.value!a}"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name in sorted(node._fields):
            value = _without_docstring(node) if name == "body" else getattr(node, name, None)
            # Versions differ in which empty fields they have.
            if value is not None and value != []:
                yield f" {name}="
                yield from _spelled(value, lines)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield from _spelled(item, lines)
            yield ","
        yield "]"
    else:
        yield ascii(node)


def _without_docstring(node: Any) -> Any:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        return node.body[1:]
    return node.body


def _pieces(node: ast.expr, lines: list[str]) -> list[str]:
    """The literals of an f-string, or of several that stand side by side, as they are spelled.

    What lies between them (line breaks, comments) does not count. One f-string is one token before
    Python 3.12, and many since; its text is the same.
    """
    rows = _lines(f"({_segment(node, lines)})")
    pieces, depth, start = [], 0, (0, 0)
    for token in tokenize.generate_tokens(iter(rows).__next__):
        kind = tokenize.tok_name[token.type]
        if kind.endswith("STRING_START"):
            start = token.start if depth == 0 else start
            depth += 1
        elif kind.endswith("STRING_END"):
            depth -= 1
            if depth == 0:
                pieces.append(_between(rows, start, token.end))
        elif kind == "STRING" and depth == 0:
            pieces.append(token.string)
    return pieces


def _segment(node: ast.expr, lines: list[str]) -> str:
    """The source of a node. (`ast.get_source_segment` splits the file again for each.)"""
    columns = [
        len(lines[number - 1].encode()[:column].decode())  # syntax trees count bytes
        for number, column in (
            (node.lineno, node.col_offset),
            (node.end_lineno or node.lineno, node.end_col_offset or 0),
        )
    ]
    return _between(lines, (node.lineno, columns[0]), (node.end_lineno or 0, columns[1]))


def _lines(text: str) -> list[str]:
    """As Python counts them: `str.splitlines` also splits at form feeds."""
    return [f"{line}\n" for line in text.split("\n")]


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text between two places, each a line from 1 and a column from 0."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *middle, lines[end[0] - 1][: end[1]]])
