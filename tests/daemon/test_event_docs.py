"""docs/events.md is what the message types say."""

from pathlib import Path

from msgspec import Struct

from daemon.event_docs import comments, document, events
from daemon.logs import event_of
from tests.daemon.runs import obid

PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"


class Base(Struct, frozen=True):
    """A message."""

    lots: int  # signed | whole
    price: float


class Derived(Base, frozen=True):
    """A message with more."""

    reason: str = "# no comment"  # why


def test_the_page_is_what_the_types_say():
    assert PAGE.read_text("utf-8") == document(), "write it anew: obid logs --document > docs/events.md"
    assert obid("logs", "--document").stdout == document()


def test_every_event_and_every_field_is_on_it():
    text = document()
    for kind in events():
        section = text.split(f"## `{event_of(kind)}`\n")[1].split("\n## ")[0]
        assert all(f"| `{name}" in section for name in kind.__struct_fields__)
        assert "~" not in section and "typing" not in section, "types are told as JSON has them"


def test_a_fields_words_are_the_comment_behind_it():
    assert comments(Derived) == {"lots": "signed | whole", "reason": "why"}
