"""Limit the size of a source's files: larger ones raise ValueError, so that none can fill memory or disk."""

from pathlib import Path

from foundling.settings.datasets import Source

FREE_BYTES = 64_000_000  # unpacked size that is always allowed, whatever the ratio


def too_long(path: Path, source: Source, place: str = "its text") -> ValueError:
    """The error of a record that is longer than its source allows."""
    return ValueError(
        f"{path} has a record of more than {source.max_characters:,} characters ({place}); shorten it, or "
        f"increase {source.setting('record_megabytes')}"
    )


class Meter:
    """Counts the bytes that come out of a compressed file or an archive."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path, self.source, self.total = path, source, 0
        by_ratio = max(FREE_BYTES, source.unpacked_ratio * path.stat().st_size)
        by_size = source.unpacked_gigabytes * 1e9
        self.limit, self.setting = min((by_ratio, "unpacked_ratio"), (by_size, "unpacked_gigabytes"))

    def add(self, count: int) -> None:
        """Count further bytes; too many raise ValueError."""
        self.total += count
        if self.total > self.limit:
            raise ValueError(
                f"{self.path} ({self.path.stat().st_size:,} bytes) unpacks to more than {self.limit:,.0f} "
                "bytes, as decompression bombs do; if you trust it, increase "
                f"{self.source.setting(self.setting)}"
            )
