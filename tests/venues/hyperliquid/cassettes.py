"""Reads recorded HTTP conversations (vcr's YAML) without a YAML library: only what a body can be written as.

A body is one scalar after `body:` or `string:`, quoted either way or plain, folded over lines. Whatever is not that
raises, so that no recording is passed over in silence.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

KEY = re.compile(r"^(?P<indent> *(?:- )?)(?P<key>body|string):(?: (?P<rest>.*))?$")
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/", " ": " ", "r": "\r", "0": "\0", "e": "\x1b"}
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")


class Exchanged(NamedTuple):
    """What was asked and what was answered."""

    where: str
    asked: str
    answered: str


def exchanges(file: Path) -> Iterator[Exchanged]:
    """Every request of a recording with its answer, in order."""
    bodies = list(_scalars(file.read_text().splitlines(), file.name))
    if len(bodies) % 2 or not bodies:
        raise ValueError(f"{file.name}: {len(bodies)} bodies, which do not pair up")
    for number, (asked, answered) in enumerate(zip(bodies[::2], bodies[1::2], strict=True)):
        yield Exchanged(f"{file.name}:{number}", asked, answered)


def _scalars(lines: list[str], name: str) -> Iterator[str]:
    at = 0
    while at < len(lines):
        found = KEY.match(lines[at])
        at += 1
        if not found:
            continue
        text = found["rest"] or ""
        if not text and found["key"] == "body":  # its `string` is on a line of its own
            continue
        if not text:
            text, at = lines[at].strip(), at + 1
        quote = text[:1] if text[:1] in "'\"" else ""
        while quote and not (text.endswith(quote) and _closed(text, quote)):
            text, at = _folded(text, lines[at], quote), at + 1
        if quote:
            yield _unquoted(text, quote)
        elif re.fullmatch(r"[\w.-]+", text):
            yield text
        else:
            raise ValueError(f"{name}:{at}: no scalar that can be read here: {text[:80]}")


def _closed(text: str, quote: str) -> bool:
    inner = text[1:]
    if quote == "'":
        return bool(re.fullmatch(r"(?:[^']|'')*'", inner))
    return bool(re.fullmatch(r'(?:[^"\\]|\\.)*"', inner, re.S))


def _folded(text: str, line: str, quote: str) -> str:
    """A line break is a space, unless a backslash says that it is nothing; an empty line is a line break."""
    more = line.strip()
    if quote == '"' and re.search(r"(?<!\\)(?:\\\\)*\\$", text):
        return text[:-1] + more
    return text + ("\n" if not more else "" if text.endswith("\n") else " ") + more


def _unquoted(text: str, quote: str) -> str:
    inner = text[1:-1]
    if quote == "'":
        return inner.replace("''", "'")
    return ESCAPE.sub(lambda found: ESCAPES.get(found[1]) or chr(int(found[1][1:], 16)), inner)
