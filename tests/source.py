"""Source files as the tidy test reads them: imports, and names spelled from what was imported.

What hides behind a variable or getattr stays hidden.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Module(NamedTuple):
    """One source file, parsed."""

    path: str
    name: str
    lines: int
    tree: ast.Module

    def imports(self) -> Iterator[tuple[ast.AST, str, str]]:
        """Every import: its node, the name it binds, the full name behind it."""
        package = self.name.split(".") if self.path.endswith("__init__.py") else self.name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.asname or alias.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) + 1 - node.level] if node.level else []
                source = ".".join([*above, *filter(None, [node.module])])
                yield from ((node, alias.asname or alias.name, f"{source}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Call) and called(node) == "import_module":
                yield from ((node, "", arg.value) for arg in node.args if isinstance(arg, ast.Constant))

    def names(self) -> Iterator[tuple[ast.AST, str]]:
        """Every name and attribute, spelled from what was imported; "?" stands for what was not."""
        bound = {full.split(".")[0]: full.split(".")[0] for _, local, full in self.imports() if local == full}
        bound |= {local: full for _, local, full in self.imports()}

        def spell(node: ast.AST) -> str:
            if isinstance(node, ast.Attribute):
                return f"{spell(node.value)}.{node.attr}"
            return bound.get(node.id, "?") if isinstance(node, ast.Name) else "?"

        yield from ((n, spell(n)) for n in ast.walk(self.tree) if isinstance(n, ast.Attribute | ast.Name))


@cache
def modules(root: Path, packages: Iterable[str]) -> tuple[Module, ...]:
    """Every module of the packages under a root."""
    found = []
    for file in sorted(file for package in packages for file in (root / package).rglob("*.py")):
        where, text = file.relative_to(root), file.read_text(encoding="utf-8")
        name = ".".join(where.with_suffix("").parts).removesuffix(".__init__")
        found.append(Module(where.as_posix(), name, len(text.splitlines()), ast.parse(text)))
    return tuple(found)


def every(tree: Iterable[Module], kind: type) -> Iterator[tuple[Module, ast.AST]]:
    """Every node of one kind, with its module."""
    return ((module, node) for module in tree for node in ast.walk(module.tree) if isinstance(node, kind))


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def is_text(node: ast.AST) -> bool:
    """Whether a statement is a bare constant: a docstring, or dots."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def within(name: str, parents: Iterable[str]) -> bool:
    """Whether a dotted name is one of the parents or inside one."""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)
