"""An archive can only add regular files inside the target folder."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from foundling.data.archives import extract, is_archive
from foundling.settings.datasets import Source

SOURCE = Source(name="test", path="x")


def _everything(name: Path) -> bool:
    return True


def _tar(path: Path, *members: tuple[str, str | None, bytes]) -> Path:
    """Members are (name, link target, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, target, content in members:
            info = tarfile.TarInfo(name)
            if target is not None:
                info.type, info.linkname = tarfile.SYMTYPE, target
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    data = buffer.getvalue()
    if path.suffix == ".zst":
        import zstandard

        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def _zip(path: Path, *members: tuple[str, str | None, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, target, content in members:
            info = zipfile.ZipInfo(name)
            if target is not None:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content if target is None else target)
    return path


MAKERS: list[tuple[Callable[..., Path], str]] = [
    (_tar, "a.tar"),
    (_tar, "a.tar.gz"),
    (_tar, "a.tar.zst"),
    (_zip, "a.zip"),
]


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_wanted_files_come_out_sorted(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    archive = make(tmp_path / name, ("d/b.txt", None, b"B"), ("a.txt", None, b"A"), ("d/c.bin", None, b"C"))
    found = extract(archive, tmp_path / "out", lambda name: name.suffix == ".txt", SOURCE)
    assert is_archive(name)
    assert found == [Path("a.txt"), Path("d/b.txt")]
    assert sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_file()) == ["a.txt", "b.txt"]
    assert (tmp_path / "out/d/b.txt").read_bytes() == b"B"


@pytest.mark.parametrize(
    "hostile", ["../evil.txt", "/tmp/foundling_evil.txt", "d/../../evil.txt", "..\\evil.txt"]
)
@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_path_outside_of_the_folder_is_refused(
    tmp_path: Path, make: Callable[..., Path], name: str, hostile: str
) -> None:
    archive = make(tmp_path / name, (hostile, None, b"evil"))
    with pytest.raises(ValueError, match=r"a path outside of the target folder"):
        extract(archive, tmp_path / "in/out", _everything, SOURCE)
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/foundling_evil.txt").exists()


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_links_are_left_out_and_lead_nowhere(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    (tmp_path / "outside").mkdir()
    archive = make(
        tmp_path / name, ("link", "../outside", b""), ("link/evil.txt", None, b"evil"), ("a.txt", None, b"A")
    )
    found = extract(archive, tmp_path / "out", _everything, SOURCE)
    assert Path("a.txt") in found
    assert not (tmp_path / "out/link").is_symlink()
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_damaged_archive_is_refused(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    archive = make(tmp_path / name, ("a.txt", None, bytes(range(256)) * 400))
    archive.write_bytes(archive.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"archive a.* cannot be unpacked"):
        extract(archive, tmp_path / "out", _everything, SOURCE)
