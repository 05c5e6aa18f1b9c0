"""Unpack the wanted regular files of a tar or zip archive, and never write outside of the target folder."""

import errno
import logging
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from foundling.data.limits import Meter
from foundling.data.text_files import open_bytes
from foundling.settings.datasets import Source

log = logging.getLogger(__name__)
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
MAX_MEMBERS = 1_000_000  # names are held in memory
MAX_HEADER = 1 << 20  # bytes of a tar's description of one member
MAX_CHARACTERS, MAX_DEPTH = 1000, 40  # of a name
HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
# what the libraries raise for a damaged archive
ARCHIVE_ERRORS = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, RuntimeError, UnicodeError, OverflowError),
)


def is_archive(name: str) -> bool:
    """Whether a file's name ends like an archive's."""
    return name.lower().endswith(SUFFIXES)


def extract(archive: Path, folder: Path, wanted: Callable[[Path], bool], source: Source) -> list[Path]:
    """Unpack the wanted files into `folder`; returns their paths relative to it, sorted.

    Links and devices are left out: they contain no data, and a link can lead outside. A name that leads
    outside or occurs twice, an archive that cannot be read, and one that unpacks to more than the source
    allows raise ValueError.
    """
    unpack = _unzip if archive.suffix.lower() in (".zip", ".whl") else _untar
    try:
        return sorted(unpack(archive, folder, wanted, Meter(archive, source)))
    except ARCHIVE_ERRORS as error:
        # an error of the system (a full disk), not of the archive; a bad zip may seek to an invalid position
        # (EINVAL)
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"archive {archive.name} cannot be unpacked ({reason}); fetch or pack it again"
        ) from None


def _untar(archive: Path, folder: Path, wanted: Callable[[Path], bool], meter: Meter) -> Iterator[Path]:
    is_zstd = archive.suffix.lower() == ".zst"  # which tarfile cannot decompress
    with (
        open_bytes(archive) if is_zstd else open(archive, "rb") as packed,
        tarfile.open(fileobj=packed, mode="r|" if is_zstd else "r|*", tarinfo=_Member) as members,
    ):
        for count, member in enumerate(members, 1):
            meter.add(tarfile.BLOCKSIZE + member.size)
            if count > MAX_MEMBERS:
                raise ValueError(
                    f"archive {archive.name} has more than {MAX_MEMBERS:,} members; pack it as several"
                )
            name = _inside(archive, member.name)
            if not member.isfile() or member.issparse():
                if not member.isdir():
                    log.warning(f"left out {member.name!r} of {archive.name}: it is not a plain file")
            elif wanted(name):
                packed_file = members.extractfile(member)
                assert packed_file is not None
                yield _write(archive, packed_file, folder, name)


def _unzip(archive: Path, folder: Path, wanted: Callable[[Path], bool], meter: Meter) -> Iterator[Path]:
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            name = _inside(archive, member.orig_filename)
            kind = stat.S_IFMT(member.external_attr >> 16)  # the upper half holds Unix' file mode
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                log.warning(f"left out {member.filename!r} of {archive.name}: it is not a plain file")
            elif not member.is_dir() and wanted(name):
                if member.flag_bits & 1:
                    raise ValueError(
                        f"archive {archive.name} is encrypted ({member.filename!r}); unpack it yourself, and "
                        "set the source's `path` to the folder"
                    )
                meter.add(member.file_size)  # no more than that is read
                with members.open(member) as packed_file:
                    yield _write(archive, packed_file, folder, name)


def _write(archive: Path, packed_file: IO[bytes], folder: Path, name: Path) -> Path:
    """Unpack one file to its path, which must not exist yet; returns its name."""
    target = folder / name
    if target.exists() or any((folder / above).is_file() for above in name.parents):
        raise ValueError(
            f"archive {archive.name} contains {str(name)!r} twice; pack it again with each name once"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        shutil.copyfileobj(packed_file, file)
    return name


def _inside(archive: Path, name: str) -> Path:
    """The member's name as a path below a folder, or ValueError."""
    path = PurePosixPath(name.replace("\\", "/"))
    windows = PureWindowsPath(name)
    if path.is_absolute() or windows.drive or windows.root or ".." in path.parts:
        raise ValueError(
            f"archive {archive.name} contains {name[:100]!r}, a path outside of the target folder; do not "
            "trust this archive"
        )
    longest = max((len(part.encode(errors="replace")) for part in path.parts), default=0)
    too_long = longest > 255 or len(name) > MAX_CHARACTERS or len(path.parts) > MAX_DEPTH
    if too_long or not name.replace("\r", "").isprintable():
        raise ValueError(
            f"archive {archive.name} contains the name {name[:60]!r}…, of {len(name)} characters in "
            f"{len(path.parts)} parts; names must be printable, of at most {MAX_CHARACTERS} characters, "
            f"{MAX_DEPTH} parts and 255 bytes a part; pack it again with plain names"
        )
    return Path(path)


class _Member(tarfile.TarInfo):
    """A member of a tar archive. Its header is read into memory, so its size is limited."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        if member.type in HEADERS and member.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {member.size:,} bytes; at most {MAX_HEADER:,} are allowed")
        return member
