"""Proof that the law bites: each rule fails on a small offence and lets its near misses pass."""

import re
from pathlib import Path

import pytest

from tests import test_tidy as law

RULES = {name.removeprefix("test_"): test for name, test in vars(law).items() if name.startswith("test_")}
DOC = '"""One sentence."""\n'

# rule -> file, source (the offending line ends with "  # !", else it is line 1), a word of the advice
OFFENCES = {
    "imports_go_one_way": [
        ("config/a.py", "import supervisor.clock", "nothing else of ours"),
        ("supervisor/a.py", "from config import limits", "nothing else of ours"),
        ("venues/a.py", "from risk.gate import Gate", "config, supervisor"),
        ("risk/a.py", "from venues import venue", "venues.market"),
        ("risk/a.py", "def f():\n    import supervisor.clock  # !", "venues.market"),
        ("actors/a.py", "from venues import hyperliquid, market", "venues.hyperliquid is out of reach"),
        ("actors/a.py", "import venues.marketing", "venues.market"),
        ("actors/sub/a.py", "from ...daemon import graph", "daemon.graph is out of reach"),
        ("actors/a.py", "x = importlib.import_module('venues.replay')", "venues.replay is out of reach"),
        ("daemon/a.py", "from tests.fakes import Venue", "tests.fakes.Venue is out of reach"),
    ],
    "each_library_has_one_door": [
        ("venues/alpaca/a.py", "import alpaca.trading", "ONLY_IN"),
        ("venues/alpaca/a.py", "import eth_hash.auto", "venues/hyperliquid"),
        ("actors/a.py", "import sqlite3", "supervisor/journal"),
        ("daemon/a.py", "from structlog import get_logger", "daemon/logs.py"),
        ("venues/a.py", "import requests", "ONLY_IN"),
    ],
    "time_chance_and_tasks_come_from_the_seam": [
        ("risk/a.py", "import time as t\nt.time_ns()  # !", "Clock"),
        ("risk/a.py", "from time import time\nread = time  # !", "Clock"),
        ("daemon/a.py", "import datetime\ndatetime.datetime.now()  # !", "Clock"),
        ("daemon/a.py", "from datetime import UTC, datetime\ndatetime.now(UTC)  # !", "Clock"),
        ("venues/a.py", "import random\nrandom.Random(1)  # !", "seed"),
        ("venues/a.py", "from secrets import token_hex\ntoken_hex()  # !", "seed"),
        ("actors/a.py", "import uuid\nuuid.uuid4()  # !", "seed"),
        ("actors/a.py", "from asyncio import sleep\nsleep(1)  # !", "timer"),
        ("actors/a.py", "def f(loop):\n    loop.create_task(g())  # !", "supervisor"),
        ("actors/a.py", "import asyncio\nasyncio.get_running_loop().create_task(g())  # !", "supervisor"),
    ],
    "no_failure_is_swallowed": [
        ("actors/a.py", "try:\n    f()\nexcept:  # !\n    raise", "exception you expect"),
        ("actors/a.py", "try:\n    f()\nexcept Exception:  # !\n    pass", "exception you expect"),
        (
            "actors/a.py",
            "try:\n    f()\nexcept (OSError, BaseException):  # !\n    ...",
            "exception you expect",
        ),
        ("actors/a.py", "with contextlib.suppress(Exception):\n    f()", "exception you expect"),
    ],
    "files_and_functions_stay_short": [
        ("venues/a.py", "pass\n" * 501, "501 lines"),
        ("venues/a.py", "async def f():  # !\n" + "    pass\n" * 70, "71 lines"),
    ],
    "the_public_is_documented": [
        ("config/a.py", "x = 1", "sentence"),
        ("config/a.py", '"""No period"""', "sentence"),
        ("config/a.py", DOC + "def limit():  # !\n    pass", "limit"),
        ("config/a.py", DOC + "class Limit:  # !\n    pass", "Limit"),
        (
            "config/a.py",
            DOC + 'class Limit:\n    """L."""\n    def heartbeat(self):  # !\n        pass',
            "heartbeat",
        ),
    ],
    "only_the_daemon_prints": [("venues/a.py", "def f():\n    print(1)  # !", "not print")],
    "a_package_file_is_one_docstring": [
        ("risk/__init__.py", DOC + "from risk.gate import Gate", "one docstring"),
        ("risk/__init__.py", "", "one docstring"),
    ],
    "risk_does_not_lean_on_assert": [("risk/a.py", "def f(x):\n    assert x > 0  # !", "python -O")],
    "no_module_is_dead": [("actors/a.py", "import actors.a", "wire it in")],
}

NEAR_MISSES = {
    "config/__init__.py": DOC,
    "config/limits.py": DOC + "from pydantic import BaseModel\nfrom datetime import UTC, datetime, timedelta",
    "supervisor/clock.py": DOC + "import asyncio, time, uvloop\nasyncio.sleep(time.time())",
    "supervisor/journal_export.py": DOC + "import sqlite3",
    "venues/market.py": DOC + "import config.limits, msgspec, numpy as np\nnp.random.Philox(1)",
    "venues/venue.py": DOC + "from . import market\nfrom supervisor import clock\nimport supervisor.journal_export",
    "venues/alpaca/wire.py": DOC + "import httpx",
    "risk/gate.py": DOC
    + "import math\nfrom venues.market import Book\ndef gate(random):\n    'G.'\n    random.random()",
    "actors/feed.py": DOC + "from risk import gate\nfrom venues.venue import Venue\n"
    "class Base:\n    'B.'\n    def run(self):\n        'R.'\n"
    "class Feed(Base):\n    'F.'\n    def run(self): pass\n    def hear(self, x): pass\n"
    "    def _hear_book(self): pass\n    def __len__(self): return 0",
    "actors/long.py": DOC + 'def f():\n    """' + "\n" * 50 + '    """\n' + "    pass\n" * 69,
    "actors/careful.py": DOC + "try:\n    f()\nexcept Exception as error:\n    tell(error)\n"
    "try:\n    f()\nexcept KeyError:\n    pass",
    "daemon/__main__.py": DOC + "import rich, venues.alpaca.wire\nfrom actors import careful, feed, long\nprint(1)",
}


def grow(root: Path, files: dict[str, str]) -> Path:
    """Write a small tree of sources."""
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source)
    return root


@pytest.mark.parametrize(("rule", "offence"), [(rule, o) for rule, offences in OFFENCES.items() for o in offences])
def test_a_rule_names_the_line_and_the_remedy(rule: str, offence: tuple[str, str, str], tmp_path: Path) -> None:
    file, source, advice = offence
    line = source.split("  # !")[0].count("\n") + 1 if "  # !" in source else 1
    with pytest.raises(pytest.fail.Exception, match=rf"(?m)^{re.escape(file)}:{line}: .*{re.escape(advice)}"):
        RULES[rule](grow(tmp_path, {file: source}))


def test_a_missing_package_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="supervisor"):
        law.test_the_six_packages_are_there(grow(tmp_path, {"config/a.py": DOC}))


@pytest.mark.parametrize("rule", RULES)
def test_near_misses_pass(rule: str, tmp_path: Path) -> None:
    RULES[rule](grow(tmp_path, NEAR_MISSES))


def test_every_rule_is_proven() -> None:
    assert {*RULES} == {*OFFENCES, "the_six_packages_are_there"}


def test_an_exception_is_for_one_file_and_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(law.ALLOWED, "daemon/a.py", {"time.time"})
    source = "import time\ntime.time()\ntime.sleep(1)"
    with pytest.raises(pytest.fail.Exception) as refused:
        RULES["time_chance_and_tasks_come_from_the_seam"](
            grow(tmp_path, {"daemon/a.py": source, "daemon/b.py": source})
        )
    places = re.findall(r"daemon/\w\.py:\d", str(refused.value))
    assert places == ["daemon/a.py:3", "daemon/b.py:2", "daemon/b.py:3"]
