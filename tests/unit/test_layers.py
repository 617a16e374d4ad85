"""How the package is built: imports point downward, and each kind of effect has its place."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "flask_shim"

LAYERS = (
    {"_version", "errors", "config"},
    {"lmstudio"},
    {"observability", "translate"},
    {"schemas", "error_responses"},
    {"backend", "models"},
    {"services"},
    {"inference", "openapi"},
    {"middleware"},
    {"dashboard"},
    {"routes"},
    {"app"},
    {"serving", "wsgi"},
    {"flask_shim", "deploy", "doctor", "embedded"},
    {"cli"},
)
"""What may import what, low to high: every part imports only from sets above its own line."""

RANKS = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}

LONGEST_FILE = 250
LONGEST_FUNCTION = 40


def _name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def _tree(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def _is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _nodes(node, *, with_types):
    """Yield the nodes below, without those that only a type checker reads unless they are wanted."""
    for child in ast.iter_child_nodes(node):
        if with_types or not _is_for_types(child):
            yield child
            yield from _nodes(child, with_types=with_types)


def _imported(name, *, with_types=True):
    """Return the full names of what a module imports, wherever in it; names of this package as modules."""
    found = set()
    for node in _nodes(_tree(name), with_types=with_types):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_from(name, node))
    return found


def _from(name, node):
    base = node.module or ""
    if node.level:
        package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, *([node.module] if node.module else [])])
    for alias in node.names:
        full = f"{base}.{alias.name}"
        yield full if full in MODULES else base


def _part_of(name):
    """Return the part of the package that a module belongs to."""
    parts = name.removesuffix(".__main__").split(".")
    return parts[1] if len(parts) > 1 else "cli" if name == "flask_shim.__main__" else parts[0]


def _is_ours(name):
    return name.split(".")[0] == "flask_shim"


def test_every_part_has_its_place():
    assert {_part_of(name) for name in MODULES} == set(RANKS)


def test_imports_point_downward():
    parts = {(name, _part_of(other)) for name in MODULES for other in _imported(name) if _is_ours(other)}
    upward = {(name, part) for name, part in parts if RANKS[part] >= RANKS[_part_of(name)] and part != _part_of(name)}
    assert upward == set()


def test_modules_do_not_need_each_other_in_circles():
    graph = {
        name: {other for other in _imported(name, with_types=False) if other in MODULES and other != name}
        for name in MODULES
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def _importing(*libraries):
    """Return the modules that import one of these libraries."""
    return {name for name in MODULES if {imported.split(".")[0] for imported in _imported(name)} & set(libraries)}


def _within(*places):
    return {name for name in MODULES if any(f"{name}.".startswith(f"{place}.") for place in places)}


def test_only_the_client_and_the_probes_use_requests():
    lookers = ("flask_shim.serving.port_probe", "flask_shim.doctor.probe")
    assert _importing("requests", "urllib3") <= _within("flask_shim.lmstudio", *lookers)


def test_the_client_imports_neither_flask_nor_ollamas_types():
    clients = _within("flask_shim.lmstudio")
    assert clients & _importing("flask", "werkzeug", "marshmallow", "waitress") == set()
    parts = {_part_of(imported) for name in clients for imported in _imported(name) if _is_ours(imported)}
    assert parts == {"errors", "lmstudio"}


def test_the_translation_is_pure():
    impure = ("flask", "werkzeug", "waitress", "requests", "urllib3", "socket", "threading", "time", "os", "pathlib")
    # A semaphore bounds the memory for conversions of images.
    assert _within("flask_shim.translate") & _importing(*impure) == {"flask_shim.translate.ollama.images"}
    modules = {other for name in _within("flask_shim.translate") for other in _imported(name) if _is_ours(other)}
    values = {
        "flask_shim.lmstudio.errors",
        "flask_shim.lmstudio.model",
        "flask_shim.lmstudio.completion_events",
        "flask_shim.lmstudio.tool_call_deltas",
    }
    assert {name for name in modules if name.startswith("flask_shim.lmstudio")} <= values


def test_only_the_config_reads_the_environment():
    readers = {
        name
        for name in MODULES
        for node in ast.walk(_tree(name))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
    }
    assert readers == {"flask_shim.config"}
    assert "from os import" not in "".join(ast.unparse(_tree(name)) for name in MODULES)


def test_only_modules_above_the_client_use_flasks_request():
    outside = {"flask_shim.lmstudio", "flask_shim.translate", "flask_shim.schemas", "flask_shim.config"}
    assert _within(*outside) & _importing("flask") == set()


def test_files_are_short():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def _functions():
    """Yield the module and the definition of every function."""
    for name in MODULES:
        for node in ast.walk(_tree(name)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield name, node


def _length(function):
    return function.end_lineno - function.lineno + 1


def test_functions_are_short():
    lengths = [(name, function.name, _length(function)) for name, function in _functions()]
    assert [place for place in lengths if place[-1] > LONGEST_FUNCTION] == []


def test_most_functions_are_very_short():
    lengths = sorted(_length(function) for _, function in _functions())
    assert lengths[len(lengths) // 2] < 10


def test_every_function_is_annotated():
    assert [(name, function.name) for name, function in _functions() if not function.returns] == []
