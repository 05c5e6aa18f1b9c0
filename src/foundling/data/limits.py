"""How much a source's files may hold: what is beyond is refused, so that no file can fill memory or disk.

Each limit is a setting of a source, and a config that names it may raise it:

    record_megabytes    the longest record: a line, an object, a row, a txt or md file (128)
    unpacked_gigabytes  what a packed file or an archive may unpack to (100)
    unpacked_ratio      how many times its own size that may be (200); it counts beyond 64 MB
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.data.naming import setting

SETTINGS = {"record_megabytes": 128, "unpacked_gigabytes": 100, "unpacked_ratio": 200}
NEVER_MIND = 64_000_000  # bytes that may come out of the smallest file


@dataclass(frozen=True)
class Limits:
    """The limits of one source."""

    record: int  # characters
    unpacked: int  # bytes
    ratio: float
    section: str | None = None  # of the config, where these settings are plain ones

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> "Limits":
        """What a source's config says, else the defaults; what is no number above 0 raises ValueError."""
        found = {name: source.get(name, default) for name, default in SETTINGS.items()}
        for name, value in found.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
                raise ValueError(
                    f"source {source.get('name')} has {name}={value!r}; allowed is a number above 0; try "
                    f"{SETTINGS[name]}"
                )
        return cls(
            int(found["record_megabytes"] * 1e6),
            int(found["unpacked_gigabytes"] * 1e9),
            found["unpacked_ratio"],
            source.get("settings"),
        )

    def too_long(self, path: Path, where: str = "its text") -> ValueError:
        """The error of a record that is longer than allowed."""
        raised = setting({"settings": self.section}, "record_megabytes")
        return ValueError(
            f"{path} has a record of more than {self.record:,} characters ({where}); allowed are {self.record:,}; "
            f"cut it, or raise {raised}"
        )


class Meter:
    """Counts what comes out of a packed file, and refuses what is beyond its limits."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.section, self.given = path, limits.section, 0
        by_ratio = max(NEVER_MIND, limits.ratio * path.stat().st_size)
        self.most, self.setting = min((by_ratio, "unpacked_ratio"), (limits.unpacked, "unpacked_gigabytes"))

    def add(self, count: int) -> None:
        """Count so many bytes more; ValueError once there are too many."""
        self.given += count
        if self.given > self.most:
            raise ValueError(
                f"{self.path} ({self.path.stat().st_size:,} bytes) unpacks to more than {self.most:,.0f} bytes, as a "
                f"file does that is made to fill a disk; if you trust it, raise "
                + setting({"settings": self.section}, self.setting)
            )
