"""Nothing that is read can run code: no module calls what could, checked in the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from foundling.fables import tables

PACKAGE = Path(__file__).parents[2] / "src/foundling"
MODULES = sorted(PACKAGE.rglob("*.py"))
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES
}
# unpickle, or marshal code
FORBIDDEN = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
    "imp",
    "code",
}
NEVER_CALLED = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "os.execv", "os.spawnv", "extractall", "unpack_archive", "load_module"),
    *("yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "read_pickle", "pd.read_pickle", "np.fromregex"),
    *("hub.load", "torch.hub.load", "load_state_dict_from_url", "from_pretrained"),
}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield name, node, ast.unparse(node.func)


def keywords(call: ast.Call) -> dict[str, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg}


@pytest.mark.parametrize("name", TREES)
def test_no_module_imports_what_unpickles(name: str) -> None:
    for node in ast.walk(TREES[name]):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not FORBIDDEN & {module.partition(".")[0] for module in modules}


def test_nothing_is_called_that_runs_what_it_reads() -> None:
    found = [
        f"{name}: {ast.unparse(call)[:80]}"
        for name, call, function in calls()
        # re.compile and a network's .compile() and .eval() are other things
        if function in NEVER_CALLED or function.rpartition(".")[2] in NEVER_CALLED - {"compile", "eval"}
    ]
    assert found == []


def test_torch_loads_weights_alone() -> None:
    for name, call, function in calls():
        if function == "torch.load":
            assert keywords(call).get("weights_only") == "True", f"{name}:{call.lineno}"
        assert keywords(call).get("weights_only") != "False"
        assert keywords(call).get("allow_pickle") != "True"
        assert keywords(call).get("trust_remote_code") != "True"
        assert keywords(call).get("shell") != "True"


def test_yaml_is_read_as_plain_values() -> None:
    for name, call, function in calls():
        if function == "yaml.load":
            assert ast.unparse(call.args[1]) in ("_Plain", "yaml.SafeLoader", "LOADER"), (
                f"{name}:{call.lineno}"
            )
    assert tables.LOADER in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", None))
    bases = [
        ast.unparse(b)
        for t in TREES.values()
        for n in ast.walk(t)
        if isinstance(n, ast.ClassDef)
        for b in n.bases
    ]
    assert not {"yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader"} & set(bases)


def test_only_sections_of_the_composed_config_are_instantiated() -> None:
    calling = [name for name, _, function in calls() if function.endswith("instantiate")]
    assert calling == ["settings/types.py"]  # a Component, which is a part of the composed settings


def test_a_dynamic_import_takes_a_command_of_our_own() -> None:
    found = [name for name, _, function in calls() if function == "importlib.import_module"]
    assert found == ["__main__.py"]  # whose name is one of COMMANDS


def test_jinja_renders_foreign_templates_in_the_sandbox_alone() -> None:
    rendering = {name for name, _, function in calls() if function.endswith(".from_string")}
    assert rendering == {"text/jinja_sandbox.py"}
    made = {
        function for name, _, function in calls() if name in rendering and function.endswith("Environment")
    }
    assert made == {"ImmutableSandboxedEnvironment"}
