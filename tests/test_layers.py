"""A module imports only from lower layers, and no two modules need each other."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import flatgrad

PACKAGE = Path(flatgrad.__file__).parent
# from the bottom up; what stands in one line may not import from one another, but for the modules of one folder
LAYERS = """
errors garbage hashing version declarations files
parts standard_output
functions graph options
markers nn checks homes
registry
shapes
rules
binding
sampled
infer
builder
frontend
annotated_classes
annotations structures
given_shapes
parameter_types
signature
differentiation passes interpret
emission
reading
chosen
pipeline
arguments
calling
decorator
api
catalogue
checked_rules
cli
__main__
"""
LEVELS = {part: level for level, line in enumerate(LAYERS.split("\n")) for part in line.split()}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def imported(module):
    """Return the modules of flatgrad that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}, line {node.lineno}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    names = {name.removeprefix("flatgrad.") for name in found if name.startswith("flatgrad.")}
    return {name for name in names if name in MODULES}


def test_every_module_has_a_layer():
    assert {module.split(".")[0] for module in MODULES} == set(LEVELS)


def test_imports_go_downwards():
    upwards = []
    for module in MODULES:
        part = module.split(".")[0]
        for other in imported(module):
            below = other.split(".")[0]
            if part != below and LEVELS[below] >= LEVELS[part]:
                upwards.append(f"{module} imports {other}")
    assert upwards == []


def test_no_two_modules_need_each_other():
    TopologicalSorter({module: imported(module) - {module.split(".")[0]} for module in MODULES}).prepare()
