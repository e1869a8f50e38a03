"""The desk: what keys do. A pure state machine: keys in, orders out; what is looked at, filtered and asked between."""

from dataclasses import dataclass, field

from daemon.top.asking import ORDERS, Question, question
from daemon.top.known import Known, Scope
from daemon.top.panes import PANES

OVERVIEW, HELP = "overview", "help"
VIEWS = (OVERVIEW, *PANES)
"""Under the keys 1 to 8."""

FILTER_CHARS_MAX = 32
"""The longest symbol of any venue is shorter."""

PAGE = 10
STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -PAGE, "pagedown": PAGE}
QUIT = "quit"
"""What `key` gives when the person leaves."""


@dataclass
class Desk:
    """What the person has chosen so far."""

    known: Known
    read_only: bool = False
    view: str = OVERVIEW
    offset: int = 0
    scope: Scope = field(default_factory=Scope)
    typing: str | None = None  # the filter while it is typed
    asked: Question | None = None
    typed: str = ""  # of the asked word
    note: str = ""  # what came of the last key or order
    note_bad: bool = False

    def key(self, name: str, character: str | None) -> Question | str | None:
        """Take a key; gives an order that was confirmed, QUIT, or nothing."""
        if name == "ctrl+c":
            return QUIT
        if self.asked is not None:
            return self._answer(self.asked, name, character)
        if self.typing is not None:
            self._type(name, character)
            return None
        self.note = ""
        if character in ORDERS:
            self._ask(ORDERS[character])
            return None
        if name == "q":
            return QUIT
        self._look(name, character)
        return None

    def say(self, text: str, *, bad: bool) -> None:
        """Note what came of an order, until the next key."""
        self.note, self.note_bad = text, bad

    def _ask(self, verb: str) -> None:
        if self.read_only:
            self.say("--read-only: no orders from here", bad=True)
        elif self.known.snapshot is None or self.known.silent is not None:
            self.say(f"{verb}: there is no daemon to tell", bad=True)
        else:
            found = question(verb, self.scope, self.known.snapshot)
            if isinstance(found, str):
                self.say(found, bad=True)
            else:
                self.asked, self.typed = found, ""

    def _answer(self, asked: Question, name: str, character: str | None) -> Question | None:
        if asked.word and name == "backspace":
            self.typed = self.typed[:-1]
        elif asked.word and name != "enter" and character and character.isalpha():
            self.typed = (self.typed + character)[: len(asked.word) + 1]
        else:
            self.asked = None
            if (name == "enter" and self.typed == asked.word) if asked.word else character in ("y", "Y"):
                return asked
            self.say(f"{asked.verb}: nothing was done", bad=False)
        return None

    def _type(self, name: str, character: str | None) -> None:
        typing = self.typing or ""
        if name == "enter":
            self.scope, self.typing, self.offset = Scope(self.scope.engine, typing.strip()), None, 0
        elif name == "escape":
            self.typing = None
        elif name == "backspace":
            self.typing = typing[:-1]
        elif character and character.isprintable():
            self.typing = (typing + character)[:FILTER_CHARS_MAX]

    def _look(self, name: str, character: str | None) -> None:
        if character and character in "12345678":
            self._show(VIEWS[int(character) - 1])
        elif name == "tab":
            self._show(VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)] if self.view in VIEWS else OVERVIEW)
        elif name in STEPS:
            self.offset = max(0, self.offset + STEPS[name])
        elif name == "home":
            self.offset = 0
        elif character == "/":
            self.typing = self.scope.symbol
        elif character == "e":
            self._next_engine()
        elif character in ("?", "h"):
            self._show(OVERVIEW if self.view == HELP else HELP)
        elif name == "escape":
            self.scope = Scope() if self.view == OVERVIEW else self.scope
            self._show(OVERVIEW)

    def _show(self, view: str) -> None:
        self.view, self.offset = view, 0

    def _next_engine(self) -> None:
        snapshot = self.known.snapshot
        names = ["", *(row.engine for row in snapshot.engines)] if snapshot else [""]
        at = names.index(self.scope.engine) if self.scope.engine in names else 0
        self.scope, self.offset = Scope(names[(at + 1) % len(names)], self.scope.symbol), 0
