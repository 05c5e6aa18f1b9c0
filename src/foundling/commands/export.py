"""Export a model for other programs: foundling export format=huggingface|gguf model=models/chat."""

from pathlib import Path

from foundling.device import dtype_of
from foundling.settings import Job

EXPORT_FILES = ("Modelfile", "tokenizer_config.json")  # one of them marks the folder of an earlier export


def run(job: Job) -> None:
    """Write the model in `export.format` to `export.to`, and print how to load it."""
    settings = job.settings.export
    source = Path(settings.model)
    if source.name in ("", ".."):
        source = source.resolve()
    if not source.name.isprintable() or '"' in source.name:
        raise ValueError(
            f"{source.name!r}: must be printable and without quotes to name an export; rename the folder"
        )
    target = job.out / (settings.to or f"exports/{source.name}-{settings.format}")
    if target.exists() and not any((target / name).is_file() for name in EXPORT_FILES):
        raise ValueError(
            f"{target} exists and is not an export; an export replaces its whole folder, so set export.to "
            f"to a new one"
        )

    from foundling.commands.export_formats import write  # imports torch

    usage = write(source, target, job.settings, dtype_of(job.settings.runtime))
    size = sum(file.stat().st_size for file in target.iterdir())
    print(f"{source} -> {target} ({size / 1e6:.1f} MB, {settings.precision})\nload it with {usage}")
