"""The law of the house: reads the source of the six packages, says what breaks it and what to write instead.

Every rule is a test that takes the root it judges; tests/test_tidy_bites.py proves each on small trees.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.source import Module, called, every, is_text, modules, within

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "config": (),
    "supervisor": (),
    "venues": ("config", "supervisor"),
    "risk": ("config", "venues.market"),
    "actors": ("config", "supervisor", "risk", "venues.market", "venues.venue"),
    "daemon": ("config", "supervisor", "venues", "risk", "actors"),
}
PACKAGES = tuple(MAY_IMPORT)
OURS = {*PACKAGES, "tests", "benchmarks"}  # nothing that ships may need the last two
FREE = {"msgspec", "numpy"}  # with the standard library; every other library has one door
ONLY_IN = {
    "aiohttp": ("venues/emulator/", "daemon/metrics_server.py"),
    "coincurve": "venues/hyperliquid/",
    "fastapi": "daemon/http/",
    "h11": "daemon/http/",
    "eth_hash": "venues/hyperliquid/",
    "httpx": ("venues/", "daemon/alerts/"),
    "lz4": "venues/aleatoric/",
    "matplotlib": ("venues/aleatoric/", "daemon/soak/"),
    "mcp": "daemon/http/",
    "polars": "venues/",
    "pydantic": ("config/", "daemon/http/", "daemon/alerts/"),
    "pydantic_settings": "config/",
    "rich": "daemon/",
    "sqlite3": "supervisor/journal",
    "starlette": "daemon/http/",
    "structlog": "daemon/logs.py",
    "textual": "daemon/top/",
    "typer": "daemon/",
    "uvicorn": "daemon/http/",
    "uvloop": "supervisor/",
    "websockets": "venues/",
}
SEAM = "supervisor/"  # the one folder that reads clocks, draws numbers and starts tasks
BANNED = {  # what to do instead -> what not to touch outside the seam
    "take the time from the message or from the Clock": "time.time time.time_ns datetime.datetime.now "
    "datetime.datetime.utcnow datetime.datetime.today datetime.date.today",
    "derive it from (run seed, purpose, counter)": "random.* secrets.* os.urandom uuid.uuid1 uuid.uuid4",
    "set a timer on the Clock": "asyncio.sleep time.sleep",
    "make it a child of a supervisor": "*.create_task asyncio.ensure_future",
    "let the supervisor run the loop and its threads": "asyncio.run asyncio.Runner asyncio.to_thread",
}
INSTEAD = {name: instead for instead, names in BANNED.items() for name in names.split()}
ALLOWED: dict[str, set[str]] = {}  # file -> names it may use outside the seam, with the reason in a comment
AHEAD = {
    "daemon/soak/world.py",  # what runs a world: the simulation's runner in tests/soak, `obid soak` when it is there
    "daemon/soak/swarm.py",  # draws worlds for the same runner
    "venues/aleatoric/dialects/read_binance.py",  # what reads back what the dialect speaks, until a live venue does
    "venues/aleatoric/dialects/read_bybit.py",  # the same; OKX's speaker needs its reader's checksum
}
FILE_LINES_MAX, FUNCTION_LINES_MAX = 500, 70
BROAD = {"Exception", "BaseException"}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def rule(judge: Callable[[tuple[Module, ...]], Iterator[tuple[Module, ast.AST, str]]]) -> Callable[..., None]:
    """Turn a generator of faults into a test that lists them: file, line, what to do instead."""

    def test(root: Path = ROOT) -> None:
        faults = {(m.path, getattr(node, "lineno", 1), say) for m, node, say in judge(modules(root, PACKAGES))}
        if faults:
            pytest.fail("\n".join(f"{path}:{line}: {say}" for path, line, say in sorted(faults)), pytrace=False)

    return test


def test_the_six_packages_are_there(root: Path = ROOT) -> None:
    missing = {*PACKAGES} - {module.path.split("/")[0] for module in modules(root, PACKAGES)}
    assert not missing, f"nothing to read in {sorted(missing)}, where every other rule would pass unseen"


@rule
def test_imports_go_one_way(tree):
    for module in tree:
        package = module.path.split("/")[0]
        for node, _, full in module.imports():
            if within(full, OURS) and not within(full, (package, *MAY_IMPORT[package])):
                others = ", ".join(MAY_IMPORT[package]) or "nothing else of ours"
                yield module, node, f"{full} is out of reach: {package} imports {others}"


@rule
def test_each_library_has_one_door(tree):
    free = FREE | OURS | sys.stdlib_module_names - ONLY_IN.keys()
    for module in tree:
        for node, _, full in module.imports():
            door = ONLY_IN.get(library := full.split(".")[0], "no door yet, see ONLY_IN")
            if library not in free and not module.path.startswith(door):
                yield module, node, f"{library} comes in by one door: {door}"


@rule
def test_time_chance_and_tasks_come_from_the_seam(tree):
    for module in (module for module in tree if not module.path.startswith(SEAM)):
        for node, name in module.names():
            family, _, last = name.rpartition(".")
            instead = INSTEAD.get(name) or INSTEAD.get(f"{family}.*") or INSTEAD.get(f"*.{last}")
            if instead and name not in ALLOWED.get(module.path, ()):
                yield module, node, f"not {name}: {instead}"


@rule
def test_no_failure_is_swallowed(tree):
    for module, node in every(tree, ast.ExceptHandler):
        caught = {ast.unparse(kind) for kind in getattr(node.type, "elts", [node.type]) if kind}
        silent = all(isinstance(line, ast.Pass | ast.Continue) or is_text(line) for line in node.body)
        if not caught or (silent and caught & BROAD):
            yield module, node, "catch the exception you expect, and let the rest crash the actor"
    for module, node in every(tree, ast.Call):
        if called(node) == "suppress" and BROAD & {ast.unparse(kind) for kind in node.args}:
            yield module, node, "suppress the exception you expect, and let the rest crash the actor"


@rule
def test_files_and_functions_stay_short(tree):
    for module in (module for module in tree if module.lines > FILE_LINES_MAX):
        yield module, module.tree, f"{module.lines} lines, {FILE_LINES_MAX} are allowed: split the file"
    for module, node in every(tree, FUNCTION):
        doc = node.body[0].end_lineno - node.body[0].lineno + 1 if is_text(node.body[0]) else 0
        if (lines := node.end_lineno - node.lineno + 1 - doc) > FUNCTION_LINES_MAX:
            yield module, node, f"{node.name} has {lines} lines, {FUNCTION_LINES_MAX} are allowed: split it"


@rule
def test_the_public_is_documented(tree):
    classes = {node.name: node for _, node in every(tree, ast.ClassDef)}

    def explained(node, said_above):
        variant = any(ast.unparse(mark).endswith(("overload", ".setter")) for mark in node.decorator_list)
        hears = node.name == "hear" or node.name.startswith("hear_")  # the Mind says what hearing is
        return variant or hears or node.name in said_above or ast.get_docstring(node)

    def silent(parent, said_above=()):
        public = (node for node in parent.body if isinstance(node, FUNCTION | ast.ClassDef))
        for node in (node for node in public if not node.name.startswith("_")):
            if not explained(node, said_above):
                yield node
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
                inherited = (part for base in bases & classes.keys() for part in classes[base].body)
                yield from silent(node, {getattr(part, "name", "") for part in inherited})

    for module in tree:
        if not (ast.get_docstring(module.tree) or "").split("\n")[0].endswith("."):
            yield module, module.tree, "open with a docstring whose first line is a sentence"
        yield from ((module, node, f"say in a docstring what {node.name} is") for node in silent(module.tree))


@rule
def test_only_the_daemon_prints(tree):
    for module, node in every((module for module in tree if not module.path.startswith("daemon/")), ast.Call):
        if ast.unparse(node.func) == "print":
            yield module, node, "not print: say a message, the daemon logs it"


@rule
def test_a_package_file_is_one_docstring(tree):
    for module in (module for module in tree if module.path.endswith("__init__.py")):
        if [is_text(line) for line in module.tree.body] != [True]:
            yield module, module.tree, "keep one docstring here and give the code a module with a name"


@rule
def test_risk_does_not_lean_on_assert(tree):
    for module, node in every((module for module in tree if module.path.startswith("risk/")), ast.Assert):
        yield module, node, "refuse or raise: python -O removes an assert"


@rule
def test_no_module_is_dead(tree):
    wanted = {(module.name, full) for module in tree for _, _, full in module.imports()}
    for module in (module for module in tree if not module.path.endswith(("__init__.py", "__main__.py"))):
        if module.path in AHEAD:
            continue
        if not any(within(full, [module.name]) for importer, full in wanted if importer != module.name):
            yield module, module.tree, "nothing imports it: wire it in or remove it"
