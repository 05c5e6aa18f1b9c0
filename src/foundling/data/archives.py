"""Archives to files: the plain files of a tar or zip that are asked for, and never one outside of the given folder."""

import logging
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from foundling.data.formats import open_bytes

log = logging.getLogger(__name__)
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")


def is_archive(name: str) -> bool:
    """Whether a file's name ends like an archive's."""
    return name.lower().endswith(SUFFIXES)


def extract(archive: Path, folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Unpack the wanted files below `folder`; returns their paths relative to it, sorted.

    Links and devices are left out: they are no data, and a link can lead outside. A name that leads outside, and an
    archive that cannot be read, raise ValueError.
    """
    try:
        found = _unzip(archive, folder, wanted) if archive.suffix == ".zip" else _untar(archive, folder, wanted)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's (a full disk), not the archive's
            raise
        raise ValueError(f"archive {archive.name} cannot be unpacked ({error}); fetch or pack it again") from None
    return sorted(found)


def _untar(archive: Path, folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    found = []
    with (
        open_bytes(archive) if archive.suffix == ".zst" else open(archive, "rb") as packed,
        tarfile.open(fileobj=packed, mode="r|" if archive.suffix == ".zst" else "r|*") as members,
    ):
        for member in members:
            name = _inside(archive, member.name)
            if not member.isfile():
                if not member.isdir():
                    log.warning(f"left out {member.name} of {archive.name}: it is no plain file")
            elif wanted(name):
                members.extract(member, folder, filter="data")
                found.append(name)
    return found


def _unzip(archive: Path, folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    found = []
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            name = _inside(archive, member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)  # the upper half holds what Unix knows of the file
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                log.warning(f"left out {member.filename} of {archive.name}: it is no plain file")
            elif not member.is_dir() and wanted(name):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with members.open(member) as packed, open(folder / name, "wb") as file:
                    shutil.copyfileobj(packed, file)
                found.append(name)
    return found


def _inside(archive: Path, name: str) -> Path:
    """The member's name as a path below a folder, or ValueError."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"archive {archive.name} names {name!r}, which lies outside of the folder; allowed are names below it; "
            "do not trust this archive"
        )
    return Path(path)
