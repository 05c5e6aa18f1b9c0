"""Malicious archives are refused in one line, and nothing is written under a final name or outside."""

import gzip
import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.artifacts import atomic_folder
from foundling.data.archives import extract, is_archive
from foundling.settings.datasets import Source

KINDS = ("a.zip", "a.tar", "a.tar.gz", "a.tar.zst", "a.tar.bz2", "a.tar.xz")
Members = list[tuple[str, bytes]]


def packed(name: str, data: bytes) -> bytes:
    if name.endswith(("gz", "tgz")):
        return gzip.compress(data, compresslevel=1)
    if name.endswith("zst"):
        import zstandard

        return zstandard.compress(data)
    if name.endswith("bz2"):
        import bz2

        return bz2.compress(data)
    if name.endswith("xz"):
        import lzma

        return lzma.compress(data)
    return data


def tarred(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            content = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            if content:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if content else None)
    return buffer.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.filename = name  # as it is, with its zeros and backslashes
            info.compress_type = method
            archive.writestr(info, content)
    return buffer.getvalue()


def write(folder: Path, name: str, members: Members) -> Path:
    data = zipped(*members) if name.endswith("zip") else packed(name, tarred(*members))
    (folder / name).write_bytes(data)
    return folder / name


def unpack(archive: Path, wanted: Callable[[Path], bool] = lambda name: True, **limits: float) -> None:
    """As the stage fetch does: beside the final name, which is taken when all is well."""
    with atomic_folder(archive.parent / "final") as folder:
        extract(archive, folder, wanted, Source(name="test", path="x", **limits))


NAMES = {
    "above": ("../evil.txt", "outside"),
    "far above": ("a/b/../../../evil.txt", "outside"),
    "absolute": ("/etc/evil.txt", "outside"),
    "backslashes": ("..\\..\\evil.txt", "outside"),
    "a drive": ("C:\\evil.txt", "outside"),
    "a drive without a root": ("C:evil.txt", "outside"),
    "a share": ("\\\\server\\share\\evil.txt", "outside"),
    "a long part": ("x" * 300 + ".txt", "255 bytes a part"),
    "a long name": ("/".join(["y" * 90] * 12) + "/a.txt", "parts"),
    "a deep name": ("d/" * 60 + "a.txt", "62? parts|61 parts"),
    "a line end": ("a\nb.txt", "printable"),
    "an escape": ("a\x1b[2Jb.txt", "printable"),
}


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.zst"])
def test_a_name_that_means_harm(tmp_path: Path, refuses, name: str, what: str) -> None:
    member, says = NAMES[what]
    archive = write(tmp_path, name, [("good.txt", b"good"), (member, b"evil")])
    refuses(lambda: unpack(archive), says)
    assert not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize("name", KINDS)
def test_a_duplicate_name(tmp_path: Path, refuses, name: str) -> None:
    with pytest.warns(UserWarning, match="Duplicate") if name == "a.zip" else _nothing():
        archive = write(tmp_path, name, [("a.txt", b"one"), ("b.txt", b"two"), ("a.txt", b"three")])
    refuses(lambda: unpack(archive), "contains 'a.txt' twice")


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_file_that_is_a_folder_too(tmp_path: Path, refuses, name: str) -> None:
    archive = write(tmp_path, name, [("a", b"one"), ("a/b.txt", b"two")])
    refuses(lambda: unpack(archive), "twice")
    archive = write(tmp_path, name, [("a/b.txt", b"two"), ("a", b"one")])
    refuses(lambda: unpack(archive), "twice")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("harm", ["cut", "wrong magic", "empty", "flipped"])
def test_a_damaged_archive(tmp_path: Path, refuses, name: str, harm: str) -> None:
    if (name, harm) == ("a.tar.zst", "flipped"):
        pytest.skip("zstandard writes no checksum unless it is asked to")
    archive = write(tmp_path, name, [("a.txt", bytes(range(256)) * 200)])
    data = bytearray(archive.read_bytes())
    if harm == "flipped":
        if name == "a.tar":
            data[100:108] = b"no octal"  # a plain tar has a checksum for its headers alone
        else:
            data[len(data) // 2 : len(data) // 2 + 4] = b"evil"
    spoiled = {"cut": data[: len(data) // 2], "wrong magic": b"MZ\x90" * 99, "empty": b"", "flipped": data}[
        harm
    ]
    archive.write_bytes(spoiled)
    refuses(lambda: unpack(archive), "archive a.* cannot be unpacked")


@pytest.mark.parametrize("name", KINDS)
def test_a_bomb_by_its_ratio(tmp_path: Path, refuses, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "a.tar":
        pytest.skip("a plain tar is as long as what is in it")
    monkeypatch.setattr("foundling.data.limits.FREE_BYTES", 100_000)
    archive = write(tmp_path, name, [(f"{i}.txt", bytes(1_000_000)) for i in range(1)])
    refuses(lambda: unpack(archive), r"unpacks to more than .* increase `unpacked_ratio`")


@pytest.mark.parametrize("name", KINDS)
def test_a_bomb_by_its_size(tmp_path: Path, refuses, name: str) -> None:
    archive = write(tmp_path, name, [(f"{i}.txt", b"x" * 1000) for i in range(90)])
    refuses(
        lambda: unpack(archive, unpacked_gigabytes=50e-6),
        r"more than 50,000 bytes.* increase `unpacked_gigabytes`",
    )


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.zst"])
def test_a_bomb_in_an_unwanted_member(tmp_path: Path, refuses, name: str) -> None:
    archive = write(tmp_path, name, [("a.bin", b"x" * 200_000), ("a.txt", b"text")])

    def is_text(name: Path) -> bool:
        return name.suffix == ".txt"

    refuses(lambda: unpack(archive, is_text, unpacked_gigabytes=50e-6), "more than 50,000 bytes")


@pytest.mark.parametrize("inner", ["b.zip", "b.tar.gz"])
def test_an_archive_in_an_archive_is_never_opened(tmp_path: Path, inner: str) -> None:
    bomb = write(tmp_path, inner, [("a.txt", bytes(1_000_000))]).read_bytes()
    archive = write(tmp_path, "a.zip", [("a.txt", b"text"), (inner, bomb)])
    unpack(archive, wanted=lambda name: name.suffix == ".txt")
    assert [file.name for file in (tmp_path / "final").rglob("*")] == ["a.txt"]


def _special(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo("special")
    info.type, info.linkname, info.devmajor, info.devminor = kind, target, 1, 5
    return info


SPECIALS = {
    "a symbolic link": _special(tarfile.SYMTYPE, "../outside"),
    "a link to the root": _special(tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": _special(tarfile.LNKTYPE, "/etc/passwd"),
    "a character device": _special(tarfile.CHRTYPE),
    "a block device": _special(tarfile.BLKTYPE),
    "a pipe": _special(tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("what", SPECIALS)
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_members_that_are_not_regular_files_are_left_out(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / name).write_bytes(packed(name, tarred(SPECIALS[what], ("special/a.txt", b"text"))))
    unpack(tmp_path / name)
    assert [p.as_posix() for p in sorted((tmp_path / "final").rglob("*")) if p.is_file()] == [
        (tmp_path / "final/special/a.txt").as_posix()
    ]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_zip_members_that_are_not_regular_files_are_left_out(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("special")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("a.txt", "text")
    unpack(tmp_path / "a.zip")
    assert [file.name for file in (tmp_path / "final").iterdir()] == ["a.txt"]


def test_an_encrypted_zip(tmp_path: Path, refuses) -> None:
    data = bytearray(zipped(("a.txt", b"secret")))
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    refuses(lambda: unpack(tmp_path / "a.zip"), "is encrypted .*unpack it yourself")


@pytest.mark.parametrize(("at", "value"), [(8, 99), (8, 12345)])
def test_a_zip_of_an_unknown_method(tmp_path: Path, refuses, at: int, value: int) -> None:
    data = bytearray(zipped(("a.txt", b"text")))
    central = data.index(b"PK\x01\x02")
    data[at : at + 2] = data[central + 10 : central + 12] = struct.pack("<H", value)
    (tmp_path / "a.zip").write_bytes(data)
    refuses(lambda: unpack(tmp_path / "a.zip"), "cannot be unpacked")


@pytest.mark.parametrize("claimed", [10, 2**32 - 2])
def test_a_zip_that_lies_about_a_size(tmp_path: Path, refuses, claimed: int) -> None:
    data = bytearray(zipped(("a.txt", b"text" * 1000)))
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", claimed)
    (tmp_path / "a.zip").write_bytes(data)
    refuses(lambda: unpack(tmp_path / "a.zip"), "cannot be unpacked|unpacks to more")


def test_a_name_with_a_zero_in_a_zip(tmp_path: Path, refuses) -> None:
    data = zipped(("a.txt!.exe", b"text")).replace(b"a.txt!.exe", b"a.txt\0.exe")
    (tmp_path / "a.zip").write_bytes(data)
    refuses(lambda: unpack(tmp_path / "a.zip"), "printable")


def test_a_name_with_a_zero_in_a_pax_header(tmp_path: Path, refuses) -> None:
    info = tarfile.TarInfo("a.txt")
    info.pax_headers = {"path": "a\0b.txt"}
    (tmp_path / "a.tar").write_bytes(tarred(info))
    refuses(lambda: unpack(tmp_path / "a.tar"), "printable|cannot be unpacked")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_whose_header_is_a_bomb_takes_no_memory(tmp_path: Path, refuses, kind: bytes) -> None:
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, 1 << 30
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    refuses(lambda: unpack(tmp_path / "a.tar.gz"), "a header of 1,073,741,824 bytes")
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_sparse_member_that_claims_a_terabyte_is_left_out(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge.txt")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(2**40), "GNU.sparse.name": "huge.txt"}
    (tmp_path / "a.tar").write_bytes(tarred(info, ("a.txt", b"text")))
    with pytest.raises(ValueError, match="unpacks to more than"):
        unpack(tmp_path / "a.tar")
    assert not (tmp_path / "final").exists()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["a.zip", "a.tar", "a.tar.gz", "a.tar.zst"]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=9),
)
def test_any_damage_is_refused_or_harmless(
    tmp_path: Path, read_or_refused, name: str, damage: list[tuple[int, int]]
) -> None:
    archive = write(tmp_path, name, [("d/a.txt", b"text " * 300), ("b.txt", bytes(range(256)))])
    data = bytearray(archive.read_bytes())
    for at, value in damage:
        data[at % len(data)] = value
    archive.write_bytes(data)
    before = {path.name for path in tmp_path.iterdir()} | {"final"}
    with read_or_refused("archive a.", "unpacks to more"):
        unpack(archive)
    assert {path.name for path in tmp_path.iterdir()} <= before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=80))
def test_no_file_is_written_outside(tmp_path: Path, member: str) -> None:
    from foundling.data.archives import _inside

    try:
        name = _inside(Path("a.zip"), member)
    except ValueError:
        return
    assert (tmp_path / name).resolve().is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize("name", ["A.ZIP", "A.TAR", "A.TAR.GZ"])
def test_suffixes_may_be_capitals(tmp_path: Path, name: str) -> None:
    write(tmp_path, name.lower(), [("a.txt", b"text")]).rename(tmp_path / name)
    assert is_archive(name)
    unpack(tmp_path / name)
    assert (tmp_path / "final/a.txt").read_bytes() == b"text"


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
