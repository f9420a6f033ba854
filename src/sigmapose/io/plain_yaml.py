"""The part of YAML that calibration programs write: mappings by indentation, lists, numbers, words.

OpenCV's FileStorage and ROS need no more, and a small reader needs no further dependency. Anchors, block text
and documents after the first are errors.
"""

from __future__ import annotations

import re
from typing import Any

MAX_DEPTH = 12
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.?[0-9]*)([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None, ".inf": float("inf")}
_WORDS |= {"-.inf": -float("inf"), ".nan": float("nan")}
_KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s\[\]{}#&*!|>'",:][^\[\]{}#:]*?)\s*:(?:\s+|$)""")
_Line = tuple[int, str]


def parse_yaml(text: str) -> Any:
    """The document; ValueError says which line is not understood."""
    lines = _lines(text)
    if not lines:
        return None
    value, rest = _block(lines, lines[0][0], 0)
    if rest:
        raise ValueError(f"this YAML is not understood: {rest[0][1][:60]!r}")
    return value


def _lines(text: str) -> list[_Line]:
    """Indentation and content of every line; a list in brackets is one line, however long."""
    joined: list[_Line] = []
    for raw in text.splitlines():
        line = _without_comment(raw)
        if not line.strip() or line.startswith(("%", "---")):
            continue
        if line.startswith("..."):
            break
        if joined and joined[-1][1].count("[") > joined[-1][1].count("]"):
            joined[-1] = joined[-1][0], f"{joined[-1][1]} {line.strip()}"
        else:
            joined.append((len(line) - len(line.lstrip(" ")), line.strip()))
    return joined


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line.rstrip()) if '"' not in line and "'" not in line else line.rstrip()


def _block(lines: list[_Line], indent: int, depth: int) -> tuple[Any, list[_Line]]:
    if depth > MAX_DEPTH:
        raise ValueError("this YAML is nested too deeply")
    if lines[0][1] == "-" or lines[0][1].startswith("- "):
        return _list(lines, indent, depth)
    if _KEY.match(lines[0][1]):
        return _mapping(lines, indent, depth)
    return _scalar(lines[0][1]), lines[1:]


def _mapping(lines: list[_Line], indent: int, depth: int) -> tuple[dict[str, Any], list[_Line]]:
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent and (key := _KEY.match(lines[0][1])):
        name, value = key.group(1).strip("\"'"), lines[0][1][key.end() :].strip()
        value = re.sub(r"^!!?[\w-]+\s*", "", value)  # a tag, such as !!opencv-matrix
        lines = lines[1:]
        listed = lines and lines[0][0] == indent and lines[0][1].startswith("-")
        if not value and lines and (lines[0][0] > indent or listed):
            found[name], lines = _block(lines, lines[0][0], depth + 1)
        else:
            found[name] = _scalar(value)
    return found, lines


def _list(lines: list[_Line], indent: int, depth: int) -> tuple[list[Any], list[_Line]]:
    found: list[Any] = []
    while lines and lines[0][0] == indent and (lines[0][1] == "-" or lines[0][1].startswith("- ")):
        inner = lines[0][1][1:].lstrip()
        if inner:
            column = indent + len(lines[0][1]) - len(inner)
            value, lines = _block([(column, inner), *lines[1:]], column, depth + 1)
        elif len(lines) > 1 and lines[1][0] > indent:
            value, lines = _block(lines[1:], lines[1][0], depth + 1)
        else:
            value, lines = None, lines[1:]
        found.append(value)
    return found, lines


def _scalar(text: str) -> Any:
    if text.startswith("["):
        value, rest = _flow(text, 0)
        if rest.strip():
            raise ValueError(f"this YAML is not understood: {text[:60]!r}")
        return value
    if text[:1] in ("{", "&", "*", "|", ">"):
        raise ValueError(f"this YAML is not understood: {text[:60]!r}")
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return float(text) if _NUMBER.fullmatch(text) else text.strip("\"'")


def _flow(text: str, depth: int) -> tuple[list[Any], str]:
    if depth > MAX_DEPTH:
        raise ValueError("this YAML is nested too deeply")
    found: list[Any] = []
    rest = text[1:].lstrip()
    while not rest.startswith("]"):
        if rest.startswith("["):
            value, rest = _flow(rest, depth + 1)
        else:
            word = re.match(r"[^\[\],]*", rest)
            value, rest = _scalar(word.group().strip() if word else ""), rest[word.end() if word else 0 :]
        found.append(value)
        rest = rest.lstrip()
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif not rest.startswith("]"):
            raise ValueError(f"this YAML lacks a closing bracket: {text[:60]!r}")
    return found, rest[1:]
