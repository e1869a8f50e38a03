"""Routing: loose ends stop the start, and a message reaches whom it is meant for and nobody else."""

import pytest

from supervisor.child import ChildSpec
from supervisor.mailbox import Hears, Mailbox, latest
from supervisor.routing import RoutingError, check_routes, edges, routes_of
from tests.fakes import Letter, Note, Order, Quote


def actor(name: str, *, hears=(), says=(), engine: str = "") -> ChildSpec:
    heard = tuple(h if isinstance(h, Hears) else Hears(h) for h in hears)
    return ChildSpec(name=name, start=lambda: None, hears=heard, says=tuple(says), engine=engine)


def reached(speaker: ChildSpec, actors: list[ChildSpec], message) -> list[str]:
    """Whose mailbox holds the message after the speaker has said it."""
    boxes = {a.key: Mailbox(a.key, a.hears, lambda: 0) for a in actors}
    for put in routes_of(speaker, actors, boxes)[type(message)]:
        put(message)
    return [name for name, box in boxes.items() if len(box)]


def test_a_closed_graph_passes():
    check_routes([actor("a", says=[Note]), actor("b", hears=[Note])])


def test_nobody_may_say_what_nobody_hears():
    with pytest.raises(RoutingError, match=r"perps\.a says Note, which nobody hears"):
        check_routes([actor("a", says=[Note], engine="perps"), actor("b", hears=[Note], engine="crypto")])


def test_nobody_may_hear_what_nobody_says():
    with pytest.raises(RoutingError, match="b hears Note, which nobody says"):
        check_routes([actor("b", hears=[Note])])


def test_nobody_hears_itself():
    with pytest.raises(RoutingError, match="a says Note, which nobody hears"):
        check_routes([actor("a", says=[Note], hears=[Note])])


def test_what_comes_from_outside_or_goes_there_is_no_loose_end():
    check_routes([actor("a", says=[Note], hears=[Letter])], outside=[Note, Letter])


def test_names_are_unique_within_an_engine():
    check_routes([actor("a", engine="perps"), actor("a", engine="crypto"), actor("a")])
    with pytest.raises(RoutingError, match=r"two actors are called perps\.a"):
        check_routes([actor("a", engine="perps"), actor("a", engine="perps")])


def test_a_stream_needs_a_symbol():
    with pytest.raises(RoutingError, match="b hears the latest Note, which has no symbol"):
        check_routes([actor("a", says=[Note]), actor("b", hears=[latest(Note)])])
    check_routes([actor("a", says=[Quote]), actor("b", hears=[latest(Quote)])])


def test_a_type_is_heard_once():
    with pytest.raises(RoutingError, match="b hears a type twice"):
        check_routes([actor("a", says=[Quote]), actor("b", hears=[Quote, latest(Quote)])])


GRAPH = [
    actor("feed", says=[Note, Order], engine="perps"),
    actor("control", says=[Note, Order]),
    actor("signal", hears=[Note, Order], engine="perps"),
    actor("signal", hears=[Note, Order], engine="crypto"),
    actor("log", hears=[Note, Order]),
]
FEED, CONTROL = GRAPH[:2]


def test_an_engine_reaches_itself_and_the_shared():
    assert reached(FEED, GRAPH, Note(1)) == ["perps.signal", "log"]
    assert reached(FEED, GRAPH, Order("crypto", 1)) == ["perps.signal", "log"]


def test_the_shared_reach_everybody():
    assert reached(CONTROL, GRAPH, Note(1)) == ["perps.signal", "crypto.signal", "log"]


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("perps", ["perps.signal", "log"]),
        ("crypto", ["crypto.signal", "log"]),
        ("equities", ["log"]),
        ("", ["perps.signal", "crypto.signal", "log"]),
    ],
)
def test_the_shared_reach_the_engine_they_name(engine, expected):
    assert reached(CONTROL, GRAPH, Order(engine, 1)) == expected


def test_edges_are_the_diagram():
    assert edges(GRAPH) == [
        ("perps.feed", "Note", "perps.signal"),
        ("perps.feed", "Note", "log"),
        ("perps.feed", "Order", "perps.signal"),
        ("perps.feed", "Order", "log"),
        ("control", "Note", "perps.signal"),
        ("control", "Note", "crypto.signal"),
        ("control", "Note", "log"),
        ("control", "Order", "perps.signal"),
        ("control", "Order", "crypto.signal"),
        ("control", "Order", "log"),
    ]
