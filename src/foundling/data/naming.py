"""How messages name a setting of a source: as the user sets it.

The choices for a user's own files (conf/corpus/files.yaml, conf/classify/files.yaml) offer a source's settings as plain
ones of their section, which `settings` of the source names: corpus.encoding. Others are set in the source itself.
"""

from collections.abc import Mapping
from typing import Any


def setting(source: Mapping[str, Any], key: str, value: str | None = None) -> str:
    """A setting's name, with the value that it should have if one is given, as a shell takes it."""
    section = source.get("settings")
    if section and value and "'" in value:
        return f'"{section}.{key}={value}"'  # or the shell would take the quotes away
    if section:
        return f"{section}.{key}" if value is None else f"{section}.{key}={value}"
    return f"`{key}` of its source" if value is None else f"`{key}: {value}` in its source"
