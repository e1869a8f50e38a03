"""The terminal: textual draws the picture, hears keys and is told of new sizes; everything else is decided elsewhere.

The terminal's own sixteen colours and its own background, so that it reads on light and dark ones; no mouse, so that
text can be selected and copied as everywhere; drawn when there is news, else once a second.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget

from daemon.snapshot import DecisionRow
from daemon.top.asking import Question
from daemon.top.desk import QUIT, Desk
from daemon.top.known import Heard, Known, Silent
from daemon.top.layout import picture
from daemon.top.poller import Poller
from supervisor.wall import now_ns

REDRAW_S = 1.0
"""Ages grow while nothing is heard."""


NEWS_NS = 1_500_000_000
"""News that are older than this were not followed by others when they should have been."""


class News(Message):
    """From the poller's thread: an answer or none, and new lines of the log."""

    def __init__(self, news: Heard | Silent, lines: list[DecisionRow]):
        super().__init__()
        self.news, self.lines = news, lines


class Outcome(Message):
    """From an order's thread: what came of it."""

    def __init__(self, text: str, taken: bool):
        super().__init__()
        self.text, self.taken = text, taken


class Picture(Widget, can_focus=True):
    """The whole screen."""

    DEFAULT_CSS = "Picture { width: 100%; height: 100%; background: ansi_default; color: ansi_default; }"

    def __init__(self, desk: Desk, clock: Callable[[], int]):
        super().__init__()
        self.desk, self.clock = desk, clock

    def render(self) -> Text:
        """The lines as text with styles."""
        lines = picture(self.desk, self.size.width, self.size.height, self.clock())
        text = Text(no_wrap=True, end="")
        for number, line in enumerate(lines):
            text.append("\n" if number else "")
            for part, style in line:
                text.append(part, style)
        return text


class Top(App[None]):
    """The program. `make_poller` is given what to call with news."""

    CSS = "Screen { background: ansi_default; color: ansi_default; }"
    TITLE = "obid top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        make_poller: Callable[[Callable[[Heard | Silent, list[DecisionRow]], None]], Poller],
        version: str,
        *,
        read_only: bool = False,
        clock: Callable[[], int] = now_ns,
    ):
        super().__init__(ansi_color=True)
        self.known = Known(version)
        self.desk = Desk(self.known, read_only=read_only)
        self.poller = make_poller(lambda news, lines: self._post(News(news, lines)))
        self.picture = Picture(self.desk, clock)

    def compose(self) -> ComposeResult:
        """One widget."""
        yield self.picture

    def on_mount(self) -> None:
        """Begin to ask."""
        self.picture.focus()
        self.set_interval(REDRAW_S, self._grow_older)
        self.poller.start()

    def _grow_older(self) -> None:
        """Draw again where nothing is heard: news draw for themselves."""
        if self.picture.clock() - self.known.heard_ns > NEWS_NS:
            self.picture.refresh()

    def on_unmount(self) -> None:
        """Ask no more."""
        self.poller.stopped.set()

    def on_news(self, news: News) -> None:
        """Show it."""
        self.known.hear(news.news, news.lines)
        self.picture.refresh()

    def on_outcome(self, outcome: Outcome) -> None:
        """Show it."""
        self.desk.say(outcome.text, bad=not outcome.taken)
        self.picture.refresh()

    async def on_event(self, event: events.Event) -> None:
        """Keys are the desk's, all of them: none may do what a library thinks it should."""
        if isinstance(event, events.Key):
            self._key(event)
        else:
            await super().on_event(event)

    def _key(self, event: events.Key) -> None:
        what = self.desk.key(event.key, event.character)
        if isinstance(what, Question):
            self.desk.say(f"{what.verb} {what.whom} ...", bad=False)
            self.poller.order(what.verb, what.args, lambda text, taken: self._post(Outcome(text, taken)))
        elif what == QUIT:
            self.exit()
        self.picture.refresh()

    def _post(self, message: Message) -> Any:
        """From another thread; after the end nobody listens."""
        return self.post_message(message) if self.is_running else False
