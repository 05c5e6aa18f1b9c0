"""Archives to files: the plain files of a tar or zip that are asked for, and never one outside of the given folder."""

import errno
import logging
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from foundling.data.formats import open_bytes
from foundling.data.limits import Limits, Meter

log = logging.getLogger(__name__)
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
MEMBERS = 1_000_000  # names are held in memory
HEADER = 1 << 20  # bytes of what a tar says about one member
LONGEST, DEEPEST = 1000, 40  # characters and folders of a name
WORDS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
# what the libraries raise for an archive that is not what it says
DAMAGES = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, RuntimeError, UnicodeError, OverflowError),
)


def is_archive(name: str) -> bool:
    """Whether a file's name ends like an archive's."""
    return name.lower().endswith(SUFFIXES)


def extract(archive: Path, folder: Path, wanted: Callable[[Path], bool], limits: Limits | None = None) -> list[Path]:
    """Unpack the wanted files below `folder`; returns their paths relative to it, sorted.

    Links and devices are left out: they are no data, and a link can lead outside. A name that leads outside or comes
    twice, an archive that cannot be read, and one that unpacks to more than its limits raise ValueError.
    """
    meter = Meter(archive, limits or Limits.of({}))
    unpack = _unzip if archive.suffix.lower() == ".zip" else _untar
    found: list[Path] = []
    try:
        unpack(archive, folder, wanted, meter, found)
    except DAMAGES as error:
        # the system's (a full disk), not the archive's; a zip may ask for a place that no file has (EINVAL)
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"archive {archive.name} cannot be unpacked ({reason}); fetch or pack it again") from None
    return sorted(found)


def _untar(archive: Path, folder: Path, wanted: Callable[[Path], bool], meter: Meter, found: list[Path]) -> None:
    packed_by_us = archive.suffix.lower() == ".zst"
    with (
        open_bytes(archive) if packed_by_us else open(archive, "rb") as packed,
        tarfile.open(fileobj=packed, mode="r|" if packed_by_us else "r|*", tarinfo=_Member) as members,
    ):
        for count, member in enumerate(members, 1):
            meter.add(tarfile.BLOCKSIZE + member.size)
            if count > MEMBERS:
                raise ValueError(f"archive {archive.name} has more than {MEMBERS:,} members; pack it as several")
            name = _inside(archive, member.name)
            if not member.isfile() or member.issparse():
                if not member.isdir():
                    log.warning(f"left out {member.name!r} of {archive.name}: it is no plain file")
            elif wanted(name):
                packed_file = members.extractfile(member)
                assert packed_file is not None
                _write(archive, packed_file, folder, name, found)


def _unzip(archive: Path, folder: Path, wanted: Callable[[Path], bool], meter: Meter, found: list[Path]) -> None:
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            name = _inside(archive, member.orig_filename)
            kind = stat.S_IFMT(member.external_attr >> 16)  # the upper half holds what Unix knows of the file
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                log.warning(f"left out {member.filename!r} of {archive.name}: it is no plain file")
            elif not member.is_dir() and wanted(name):
                if member.flag_bits & 1:
                    raise ValueError(
                        f"archive {archive.name} is encrypted ({member.filename!r}); allowed are archives without a "
                        "password; unpack it yourself, and name the folder as the source's `path`"
                    )
                meter.add(member.file_size)  # no more than that is ever read
                with members.open(member) as packed_file:
                    _write(archive, packed_file, folder, name, found)


def _write(archive: Path, packed_file: IO[bytes], folder: Path, name: Path, found: list[Path]) -> None:
    """Unpack one file to its place, where nothing may be yet."""
    goal = folder / name
    if goal.exists() or any((folder / above).is_file() for above in name.parents):
        raise ValueError(f"archive {archive.name} holds {str(name)!r} twice; allowed is each name once; pack it again")
    goal.parent.mkdir(parents=True, exist_ok=True)
    with open(goal, "wb") as file:
        shutil.copyfileobj(packed_file, file)
    found.append(name)


def _inside(archive: Path, name: str) -> Path:
    """The member's name as a path below a folder, or ValueError."""
    path = PurePosixPath(name.replace("\\", "/"))
    windows = PureWindowsPath(name)
    if path.is_absolute() or windows.drive or windows.root or ".." in path.parts:
        raise ValueError(
            f"archive {archive.name} names {name[:100]!r}, which lies outside of the folder; allowed are names below "
            "it; do not trust this archive"
        )
    longest = max((len(part.encode(errors="replace")) for part in path.parts), default=0)
    if longest > 255 or len(name) > LONGEST or len(path.parts) > DEEPEST or not name.replace("\r", "").isprintable():
        raise ValueError(
            f"archive {archive.name} holds the name {name[:60]!r}…, of {len(name)} characters in {len(path.parts)} "
            f"parts; allowed are printable names of {LONGEST} characters, {DEEPEST} parts, 255 bytes a part at most; "
            "pack it again with plain names"
        )
    return Path(path)


class _Member(tarfile.TarInfo):
    """A tar's member; what a tar says of a member's name and times is read at once, so it must be short."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        """Read a header, and refuse one that announces more than a header's worth of words."""
        member = super().frombuf(buf, encoding, errors)
        if member.type in WORDS and member.size > HEADER:
            raise tarfile.ReadError(f"a header of {member.size:,} bytes; allowed are {HEADER:,}")
        return member
