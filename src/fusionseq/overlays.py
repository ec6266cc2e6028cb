"""Edits of a YAML text that leave every byte alone which they do not concern.

A parser tells where sections and values stand, and text takes the place of text: written anew from values, a file would
lose how a person had laid it out.
"""

import re
import sys
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fusionseq.errors import PipelineError

_EDIT = re.compile(r"(?P<location>[A-Za-z_]\w*(\.\w+)*)=(?P<value>.*)", re.ASCII | re.DOTALL)
# No parser takes one of these for anything but text, unless it is a word such as "yes".
_PLAIN_TEXT = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")

Location = tuple[str, ...]


def split_edit(edit: str) -> tuple[Location, str]:
    """Split "head.units=512" into ("head", "units") and "512".

    Raises
    ------
    PipelineError
        It does not look like that.
    """
    match = _EDIT.fullmatch(edit)
    if match is None:
        raise PipelineError(f"an edit must look like section.key=value. Got {edit!r}.")
    return tuple(match["location"].split(".")), match["value"]


def read_value(text: str) -> Any:
    """Read a number, true, false, null, a list or a text in quotes as YAML; all else is text as it was typed."""
    try:
        # Unlike PyYAML it takes 1e-4 for a number, as DVC does.
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        return text
    is_quoted = isinstance(value, str) and text.startswith(("'", '"'))
    return value if is_quoted or value is None or isinstance(value, int | float | list) else text


def put_value(content: dict[str, Any], location: Location, value: object) -> None:
    """Put a value into nested mappings, which are made where there are none.

    Raises
    ------
    PipelineError
        On the way there is something else than a mapping.
    """
    for depth, key in enumerate(location[:-1], start=1):
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise PipelineError(f"{'.'.join(location)} cannot be set: {'.'.join(location[:depth])} is no section.")
    content[location[-1]] = value


def replace_sections(text: str, overlay: str) -> str:
    """Put the sections of one text in the place of the sections of another that have the same names.

    A section is the lines from its name to the last one that is indented; comments above belong to the text around it.
    One that `text` does not have is put at its end.
    """
    for name, (start, end) in _find_sections(overlay).items():
        section = overlay[start:end]
        if name in (found := _find_sections(text)):
            text = text[: found[name][0]] + section + text[found[name][1] :]
        else:
            text = f"{text.rstrip()}\n\n{section}"
    return text


def replace_value(text: str, location: Location, value: object) -> str:
    """Put a value, spelled as YAML, in the place of the one at a location; what stands behind it in its line remains.

    Raises
    ------
    PipelineError
        The text has no such location.
    """
    key, node = _find_pair(yaml.compose(text, Loader=yaml.SafeLoader), location)
    start = text.index(":", key.end_mark.index) + 1
    end = max(start, _find_end(node))
    return f"{text[:start]} {_spell(value)}{text[end:]}"


def _find_pair(node: yaml.Node | None, location: Location) -> tuple[yaml.Node, yaml.Node]:
    """Find key and value at a location. Of two equal keys, the last one counts."""
    name, *rest = location
    pairs = [(key, value) for key, value in _list_pairs(node) if key.value == name]
    if not pairs:
        raise PipelineError(f"params.yaml: {name} is missing, so it cannot be set; add it by hand.")
    return _find_pair(pairs[-1][1], tuple(rest)) if rest else pairs[-1]


def _list_pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _find_sections(text: str) -> dict[str, tuple[int, int]]:
    """Find where each section begins and ends."""
    pairs = _list_pairs(yaml.compose(text, Loader=yaml.SafeLoader))
    names = [(key.value, key.start_mark.index) for key, _ in pairs]
    sections = {}
    for (name, start), end in zip(names, [*(start for _, start in names[1:]), len(text)], strict=True):
        lines = text[start:end].splitlines(keepends=True)
        while not lines[-1].strip() or lines[-1].startswith("#"):
            lines.pop()
        sections[name] = start, start + len("".join(lines))
    return sections


def _find_end(node: yaml.Node) -> int:
    """Find where the text of a value ends: of a block, less the space and the comments that its mark includes."""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _find_end(node.value[-1])
    return int(node.end_mark.index)


def _spell(value: object) -> str:
    if isinstance(value, str) and not (_PLAIN_TEXT.fullmatch(value) and yaml.safe_load(value) == value):
        return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=sys.maxsize).rstrip("\n")
    return yaml.safe_dump(value, default_flow_style=True, width=sys.maxsize).removesuffix("...\n").rstrip("\n")
