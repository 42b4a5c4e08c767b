"""What a Python file means, whatever its comments, docstrings and layout."""

import ast
import tokenize
from collections.abc import Iterator
from typing import Any


def meaning(text: str) -> str:
    """The syntax tree of a Python file as one string, without docstrings.

    Comments, docstrings and layout do not show in it. An f-string counts as it is spelled, because
    its tree depends on the version of Python: other quotes are a change.
    """
    text = text.replace("\r\n", "\n")
    return "".join(_spelled(ast.parse(text), _lines(text)))


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
