"""Hash what each stage's code does: one line per stage in code.yaml, on which the stages of dvc.yaml depend.

A stage's hash covers src/foundling/stages/<stage>.py, the modules that the stage's settings name by
`_target_`, and every module of the package that these import, directly or indirectly, also inside functions.
A module is hashed as its syntax tree without comments, docstrings, positions and `if TYPE_CHECKING` blocks; a
package as its `__init__.py` and its data files: all files that are not Python in its folder, and in
subfolders that are not packages themselves.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import JsonValue

CODE = "code.yaml"
STAGES = "stages"
COMPOSE = "compose"  # writes these hashes, and depends on all of src/foundling instead
# modules whose code does not change a result: those that pass every stage its settings, whose values are in
# composed.yaml, those that log to W&B, and those that record a sweep
UNHASHED_MODULES = ("config", "settings", "sweeps", "sweeps.pruning", "sweeps.records", "tracking")
# fields that are redundant, or that only some versions of Python fill in
SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
# nodes that are normalized or omitted
VARYING = frozenset({ast.Import, ast.ImportFrom, ast.JoinedStr, ast.If, ast.Expr})


@dataclass(frozen=True)
class Module:
    """A module's hash, and the modules of the same package that it imports."""

    digest: str
    imports: frozenset[str]


def stage_hashes(package: Path, recipe: Mapping[str, JsonValue]) -> dict[str, str]:
    """{stage: hash} of the stages of the package in this folder; equal on all versions of Python."""
    return {stage: _hash(modules) for stage, modules in stage_modules(package, recipe).items()}


def stage_modules(package: Path, recipe: Mapping[str, JsonValue]) -> dict[str, dict[str, Module]]:
    """{stage: {dotted name: module}} of the modules that each stage runs.

    These are the stage's own module, those of the `_target_`s in its section of `recipe`, and all that they
    import.
    """

    @cache
    def read(name: str) -> Module:
        return _read(package, name)

    names = sorted(file.stem for file in (package / STAGES).glob("*.py"))
    stages = [name for name in names if name not in ("__init__", COMPOSE)]
    starts = {}
    for stage in stages:
        named = [above for target in targets(recipe.get(stage)) for above in _with_parents(target)]
        starts[stage] = [
            f"{package.name}.{STAGES}.{stage}",
            *(name for name in named if _file_of(package, name)),
        ]
    return {stage: _closure(names, read) for stage, names in starts.items()}


def targets(value: Any) -> Iterator[str]:
    """Each `_target_`, the dotted name of a class or function, at any depth of a section."""
    if isinstance(value, Mapping):
        if isinstance(target := value.get("_target_"), str):
            yield target
        for inner in value.values():
            yield from targets(inner)


def _closure(starts: list[str], read: Callable[[str], Module]) -> dict[str, Module]:
    package = starts[0].partition(".")[0]
    skipped = {f"{package}.{name}" for name in UNHASHED_MODULES}
    reached, waiting = {start: read(start) for start in starts}, list(starts)
    while waiting:
        for name in reached[waiting.pop()].imports:
            if name not in reached and name not in skipped:
                reached[name] = read(name)
                waiting.append(name)
    return reached


def _hash(modules: dict[str, Module]) -> str:
    lines = sorted(f"{name} {module.digest}" for name, module in modules.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _read(package: Path, name: str) -> Module:
    """Parse one module of the package."""
    file = _file_of(package, name)
    assert file is not None
    is_package = file.name == "__init__.py"
    writer = _written(file)
    content = hashlib.sha256("".join(writer.parts).encode())
    for data in _data_files(file.parent) if is_package else ():
        content.update(f"\n{data.relative_to(file.parent).as_posix()} ".encode())
        content.update(hashlib.sha256(data.read_bytes()).digest())
    folder = name if is_package else name.rpartition(".")[0]
    imported = {found for node in writer.imports for found in _names(node, folder)}
    imported = {above for found in imported | {folder} for above in _with_parents(found)}
    return Module(content.hexdigest(), frozenset(found for found in imported if _file_of(package, found)))


def file_hash(file: Path) -> str:
    """The hash of a single module, without what it imports."""
    return hashlib.sha256("".join(_written(file).parts).encode()).hexdigest()


def _written(file: Path) -> "_Writer":
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise ValueError(f"{file}:{error.lineno} is not valid Python ({error.msg}); fix that line") from None
    writer = _Writer()
    writer.write(tree)
    return writer


def _file_of(package: Path, name: str) -> Path | None:
    """The file of a module of the package, or None if there is no such module."""
    top, *below = name.split(".")
    if top != package.name:
        return None
    path = package.joinpath(*below)
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


def _names(node: ast.Import | ast.ImportFrom, folder: str) -> Iterator[str]:
    """The dotted names that an import statement may load; `folder` is the package that contains it."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    above = folder.split(".")[: len(folder.split(".")) + 1 - node.level] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(name: str) -> Iterator[str]:
    """a.b.c, a.b, a: importing a module runs the `__init__` of each package above it."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _data_files(folder: Path) -> Iterator[Path]:
    """A package's visible files that are not Python, sorted; not those of the packages below it."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__pycache__")):
            continue
        if path.is_dir() and not (path / "__init__.py").is_file():
            yield from _data_files(path)
        elif path.is_file() and path.suffix not in (".py", ".pyc", ".pyi"):
            yield path


class _Writer:
    """Writes a syntax tree as text that depends only on what the code does, and collects the imports."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.imports: list[ast.Import | ast.ImportFrom] = []

    def write(self, value: Any) -> None:
        """Append a node, a list of nodes or a constant; empty fields are omitted, as in Python 3.13."""
        kind, add = value.__class__, self.parts.append
        if kind is list:
            add("[")
            for item in value:
                self.write(item)
            add("]")
            return
        if not issubclass(kind, ast.AST):
            add(ascii(value))  # repr() depends on the Unicode tables of the version
            return
        if kind in VARYING:
            value = self._normalize(value)
            if value is None:
                return
        fields = value.__dict__
        add(kind.__name__)
        for name, label in _labels(kind):
            item = fields.get(name)
            if item is not None and item != []:
                add(label)
                self.write(item)
        add(")")

    def _normalize(self, node: ast.AST) -> ast.AST | None:
        """The node to write instead, or None if it has been written or has no effect at run time."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.append(node)
        elif isinstance(node, ast.JoinedStr):
            return ast.JoinedStr(_joined(node.values))
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            for statement in node.orelse:
                self.write(statement)
            return None
        return None if _is_text_statement(node) else node


@cache
def _labels(kind: type[ast.AST]) -> list[tuple[str, str]]:
    """The fields of a kind of node, each with its label."""
    return [(name, f" {name}=") for name in kind._fields if name not in SKIPPED_FIELDS]


def _is_text_statement(node: ast.AST) -> bool:
    """Whether a node is a docstring, or another string that is a statement by itself."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """An f-string's parts, with adjacent texts merged: versions of Python split them differently."""
    parts: list[Any] = []
    for value in values:
        last = parts[-1] if parts else None
        if not isinstance(value, ast.Constant):
            parts.append(value)
        elif isinstance(last, ast.Constant):
            parts[-1] = ast.Constant(str(last.value) + str(value.value))
        elif value.value:
            parts.append(value)
    return parts
