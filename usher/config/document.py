"""A YAML file as Go's YAML reads it: the same words are booleans, and repeated keys are reported, not hidden.

Rules:
1. Only plain data: no tag makes an object of a program.
2. Dates stay text and `y` and `n` are booleans, as in the YAML library of the older program.
3. A file that cannot be read is one problem that names the line.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from usher.config.problems import ConfigErrors, Problem, Severity

_LONGEST: Final = 1 << 20
_DATE: Final = "tag:yaml.org,2002:timestamp"
_BOOL: Final = "tag:yaml.org,2002:bool"
_ON: Final = "true|yes|on|y"


class _Loader(yaml.SafeLoader):
    """SafeLoader with Go's idea of dates and booleans; `repeated` collects the keys that stand twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[tuple[str, int]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value.lower() in seen:
                    self.repeated.append((key.value, key.start_mark.line + 1))
                seen.add(key.value.lower())
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}
for _letter in "yYnN":
    _Loader.add_implicit_resolver(_BOOL, re.compile("[yYnN]$"), [_letter])


def load_yaml(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The file's top-level mapping and what was strange in it; raises ConfigErrors."""
    document, repeated = _parse(path, _read(path))
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise _refusal(str(path), "it must be lines of the form `setting: value`")
    return {str(key): value for key, value in document.items()}, [_twice(path, *at) for at in repeated]


def switched_on(path: Path, name: str) -> bool:
    """Whether a switch at the top level is on, however wrong the rest of the file is; by its line, if it is no YAML."""
    try:
        written, _ = load_yaml(path)
    except ConfigErrors:
        try:
            return re.search(rf"^{name}: *({_ON})\s*(#.*)?$", _read(path), re.IGNORECASE | re.MULTILINE) is not None
        except ConfigErrors:
            return False
    return any(key.lower() == name and value is True for key, value in written.items())


def key_lines(path: Path) -> dict[str, int]:
    """The line of each setting, those of a group as `group.setting`; empty if the file cannot be read."""
    try:
        root = _Loader(_read(path)).get_single_node()
    except (ConfigErrors, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return _lines_of(root, "")


def _lines_of(node: yaml.Node | None, prefix: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            name = prefix + key.value.lower()
            found[name] = key.start_mark.line + 1
            if not prefix:
                found |= _lines_of(value, f"{name}.")
    return found


def _parse(path: Path, text: str) -> tuple[Any, list[tuple[str, int]]]:
    try:
        loader = _Loader(text)
        return loader.get_single_data(), loader.repeated
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise _refusal(f"{path}{place}", f"it is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refusal(str(path), f"it is not YAML: {str(error).splitlines()[0][:200]}") from None


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > _LONGEST:
            raise _refusal(str(path), f"it is larger than {_LONGEST} bytes")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise _refusal(str(path), "there is no such file") from None
    except OSError as error:
        raise _refusal(str(path), f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refusal(str(path), "it is not UTF-8 text") from None


def _twice(path: Path, key: str, line: int) -> Problem:
    what = "it stands twice, and only one of them counts"
    return Problem(f"{path} line {line}: {key}", what, "remove one", Severity.MISTAKE)


def _refusal(where: str, what: str) -> ConfigErrors:
    return ConfigErrors([Problem(where, what, "correct the file, or name another with --config")])
