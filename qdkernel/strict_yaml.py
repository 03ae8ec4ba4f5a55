"""YAML text to plain values with the line of every entry, and back.

The dialect is the strict core of YAML 1.2: ``no`` and ``on`` are words, ``010`` and ``1:30`` are not numbers, ``1e-3``
is one; no anchors, no tags, no key twice. PyYAML's own YAML 1.1 rules would turn these silently into other values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

EntryPath = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the top, e.g. ``("mutators", 0, "weight")``."""

Plain = Any  # Any: None, bool, int, float, str, and lists and string-keyed dicts of these

_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_STR = "tag:yaml.org,2002:str"
_SEQ = "tag:yaml.org,2002:seq"
_MAP = "tag:yaml.org,2002:map"

# YAML 1.2.2, section 10.3.2, without octal, hexadecimal, infinities and NaN, which no key takes.
_RESOLVERS = (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        _FLOAT,
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 PyYAML's way: filled below, never per instance

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As the base class, but anchors are refused: a few lines of them can stand for gigabytes."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            problem = "anchors (&) and aliases (*) are not supported; write the value out, or quote it"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = {}  # noqa: RUF012 PyYAML's way: filled below, never per instance

    def ignore_aliases(self, data: object) -> bool:
        return True


for _tag, _pattern, _first in _RESOLVERS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


@dataclass(frozen=True)
class Fault:
    """A mistake in the text: its line, counted from 1, the entry if there is one, and the message."""

    line: int
    path: EntryPath
    text: str


@dataclass(frozen=True)
class Document:
    """What a YAML text holds.

    Attributes:
        value: the plain value; ``None`` also for an empty text and for one that is not YAML.
        lines: line of every entry, counted from 1: of its key in a mapping, of itself in a list.
        faults: what is wrong with the text, in order.
    """

    value: Plain
    lines: Mapping[EntryPath, int]
    faults: tuple[Fault, ...]


def parse_yaml(text: str) -> Document:
    """The plain value of a YAML text, with lines; faults are collected, never raised."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
        reader = _NodeReader()
        value = None if root is None else reader.read(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        return _unreadable(mark.line + 1 if mark else 1, f"not valid YAML: {reason}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return _unreadable(
            line, f"not valid YAML: the character U+{ord(text[error.position]):04X} is not allowed; remove it"
        )
    except RecursionError:
        return _unreadable(1, "nested too deeply to be a configuration")
    return Document(value, reader.lines, tuple(reader.faults))


def _unreadable(line: int, text: str) -> Document:
    return Document(None, {}, (Fault(line, (), text),))


def dump_yaml(value: Plain) -> str:
    """YAML text, keys in the order given, that ``parse_yaml`` reads back to an equal value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)


class _NodeReader:
    """Turns YAML nodes into plain values, noting the line of every entry and every fault on the way."""

    def __init__(self) -> None:
        self.lines: dict[EntryPath, int] = {}
        self.faults: list[Fault] = []

    def read(self, node: yaml.Node, path: EntryPath) -> Plain:
        self.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: EntryPath) -> dict[str, Plain]:
        result: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            if node.flow_style and _lacks_blank(key_node, value_node):
                key, _, value = key_node.value.partition(":")
                text = f"{key_node.value!r} is one word to YAML; write a blank after the colon: {{{key}: {value}}}"
                self.faults.append(Fault(_line(key_node), path, text))
                continue
            line = _line(key_node)
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _STR:
                self.faults.append(Fault(line, path, f"expected a name as key, got {_excerpt(key_node)}"))
            elif _has_surrogates(key):
                self.faults.append(Fault(line, path, f"expected a name of ordinary characters as key, got {key!r}"))
            elif key in result:
                first = self.lines[(*path, key)]
                self.faults.append(Fault(line, (*path, key), f"key given twice, first on line {first}; keep one"))
            else:
                self.lines[(*path, key)] = line
                result[key] = self.read(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node, path: EntryPath) -> Plain:
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if node.tag == _STR and not _has_surrogates(text):
            return text
        try:
            if node.tag == _INT:
                return int(text)
            if node.tag == _FLOAT:
                return float(text)
        except ValueError:  # `!!int x`, or thousands of digits
            pass
        self.faults.append(Fault(_line(node), path, f"expected plain text or a number, got {_excerpt(node)}"))
        return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _has_surrogates(text: str) -> bool:
    """Whether half a surrogate pair, written as an escape, made text that no file can hold."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _excerpt(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        shown = repr(node.value[:60])
    else:
        shown = "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
    usual = (_NULL, _BOOL, _INT, _FLOAT, _STR, _SEQ, _MAP)
    return shown if node.tag in usual else f"{shown} with the tag {node.tag!r}"


def _lacks_blank(key: yaml.Node, value: yaml.Node) -> bool:
    """Whether a key such as ``m:64`` of a flow mapping, which has no value, was meant as a key and its value."""
    plain = isinstance(key, yaml.ScalarNode) and key.style is None and ":" in key.value[1:-1]
    return plain and bool(value.start_mark.index == value.end_mark.index)
