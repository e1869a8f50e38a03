"""Answers of /exchange: the recorded ones, every string that is known, and damage that never becomes a verdict."""

import json
import re
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.venues.hyperliquid.judge import WIRE
from venues.hyperliquid.answers import (
    KNOWN,
    Done,
    Filled,
    Meaning,
    RateLimited,
    Refused,
    Resting,
    Waiting,
    meaning_of,
    read_answer,
    read_response,
)
from venues.venue import VenueMisspoke, VenueUnreachable

BODY = re.compile(r'^ +body: (".*")$', re.M)


def ok(*statuses, kind="order"):
    return json.dumps({"status": "ok", "response": {"type": kind, "data": {"statuses": list(statuses)}}}).encode()


def err(text):
    return json.dumps({"status": "err", "response": text}).encode()


def recorded(name):
    """(asked, answered) of a recording, in order."""
    file = WIRE / "go_hyperliquid" / "hyperliquid" / f"{name}.yaml"
    if not file.exists():
        pytest.skip(f"no recording at {file}")
    bodies = [json.loads(body) for body in BODY.findall(file.read_text())]
    assert len(bodies) % 2 == 0
    return [(json.loads(asked), told.encode()) for asked, told in zip(bodies[::2], bodies[1::2], strict=True)]


def asked_for(body):
    action = body["action"]
    return len(action.get("orders") or action.get("cancels") or ())


REFUSED = Meaning.REFUSED


def test_recorded_answers_are_read_as_they_are_meant():
    read = {
        name: [read_response(200, told, asked_for(asked)) for asked, told in recorded(name)]
        for name in ("Cancel_Success", "Orders_Above10", "Orders_Below10", "Orders_InvalidAuth")
    }
    assert read["Cancel_Success"] == [(Resting(41569111732),), (Done(),)]
    assert read["Orders_Above10"] == [(Resting(41545810396),)]
    assert read["Orders_Below10"] == [(Refused("Order must have minimum value of $10. asset=173", REFUSED),)]
    [[stranger]] = read["Orders_InvalidAuth"]
    assert stranger == Refused("User or API Wallet 0xefc07321d3d6a8fa4961306c7bf555f0723f28c1 does not exist.", REFUSED)


def test_every_kind_of_status_has_its_verdict():
    said = ok(
        {"resting": {"oid": 77738308}},
        {"resting": {"oid": 2**53, "cloid": "0xab"}},
        {"filled": {"totalSz": "0.02", "avgPx": "1891.4", "oid": 5, "cloid": "0xcd"}},
        "waitingForFill",
        "waitingForTrigger",
        {"error": "Order could not immediately match against any resting orders. asset=4"},
        {"resting": {"oid": 1, "cloid": None}, "later": "addition"},
    )
    assert read_answer(said, 7) == (
        Resting(77738308),
        Resting(2**53, "0xab"),
        Filled(Decimal("0.02"), Decimal("1891.4"), 5, "0xcd"),
        Waiting.FOR_FILL,
        Waiting.FOR_TRIGGER,
        Refused("Order could not immediately match against any resting orders. asset=4", REFUSED),
        Resting(1),
    )


def test_a_cancel_tells_what_is_over():
    over = "Order was never placed, already canceled, or filled. asset=0"
    assert read_answer(ok("success", {"error": over}, kind="cancel"), 2) == (Done(), Refused(over, Meaning.OVER))


def test_a_modify_may_find_the_old_order_gone_and_the_next_one_filled():
    gone = "Cannot modify canceled or filled order"
    filled = {"filled": {"totalSz": "0.129", "avgPx": "385.58", "oid": 465972522923}}
    assert read_answer(ok({"error": gone}, filled), 2) == (
        Refused(gone, Meaning.OVER),
        Filled(Decimal("0.129"), Decimal("385.58"), 465972522923),
    )


def test_an_action_without_statuses_is_done_once():
    default = b'{"status":"ok","response":{"type":"default"}}'
    assert read_answer(default, 0) == (Done(),)
    with pytest.raises(VenueMisspoke, match="0 statuses for 1"):
        read_answer(default, 1)


def test_one_error_for_a_whole_batch_refuses_all_of_it():
    tick = "Price must be divisible by tick size."
    assert read_answer(ok({"error": tick}), 3) == (Refused(tick, REFUSED),) * 3
    for told in (ok({"resting": {"oid": 1}}), ok(), ok(*[{"error": tick}] * 2)):
        with pytest.raises(VenueMisspoke, match="statuses for 3"):
            read_answer(told, 3)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.part)
def test_known_words_mean_the_same_alone_and_for_a_whole_request(known):
    text = f"L1 error: {known.part.capitalize()} (seen)."
    assert meaning_of(text) is known.meaning
    for told, asked in ((ok({"error": text}), 1), (err(text), 2)):
        if known.meaning is Meaning.DOUBT:
            with pytest.raises(VenueUnreachable, match="prove nothing"):
                read_answer(told, asked)
        else:
            assert read_answer(told, asked) == (Refused(text, known.meaning),) * asked


def test_the_table_says_each_thing_once_and_where_it_was_heard():
    for number, known in enumerate(KNOWN):
        assert known.part == known.part.lower().strip()
        assert known.source
        assert meaning_of(known.part) is known.meaning
        assert not any(earlier.part in known.part for earlier in KNOWN[:number]), known.part


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Price must be divisible by tick size.", REFUSED),
        ("Order must have minimum value of 10 USDC.", REFUSED),
        ("Post only order would have immediately matched, bbo was 1899.9@1900.1. asset=4", REFUSED),
        ("Order would increase open interest while open interest is capped", REFUSED),
        ("Order would increase open interest too quickly", REFUSED),
        ("Order rejected due to price more aggressive than oracle while at open interest cap", REFUSED),
        ("Order has insufficient spot balance to trade", REFUSED),
        ("Order would cause position to exceed margin tier limit at current leverage", REFUSED),
        ("Must deposit before performing actions. User: 0x12", REFUSED),
        ("Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $5.", REFUSED),
        ("Only post-only orders allowed immediately after network upgrade", REFUSED),
        ("Error placing new order during modify: Insufficient margin to place order. asset=0", REFUSED),
        (
            "Too many cumulative requests sent (37986 > 10436) for cumulative volume traded $437.92. "
            "Place taker orders to free up 1 request per USDC traded.",
            Meaning.LIMITED,
        ),
        ("Invalid nonce: duplicate nonce 1741107452532", Meaning.DOUBT),
        ("Something that the venue never said before", None),
    ],
)
def test_the_venues_own_sentences_are_understood(text, meaning):
    assert meaning_of(text) is meaning


def test_words_never_heard_refuse_an_order_and_leave_a_request_in_doubt():
    new = "Orders are closed for a parade"
    assert read_answer(ok({"error": new}), 1) == (Refused(new, REFUSED),)
    with pytest.raises(VenueUnreachable, match="prove nothing: Orders are closed"):
        read_answer(err(new), 1)


@pytest.mark.parametrize("status", [400, 403, 404, 408, 500, 502, 503, 504, 204, 301])
def test_a_status_that_is_no_answer_leaves_doubt_whatever_the_body_says(status):
    with pytest.raises(VenueUnreachable, match=f"HTTP {status}") as caught:
        read_response(status, ok({"resting": {"oid": 1}}), 1)
    assert not isinstance(caught.value, RateLimited)


def test_too_many_requests_is_doubt_of_a_kind_of_its_own():
    with pytest.raises(RateLimited, match="HTTP 429: null"):
        read_response(429, b"null", 1)


def test_what_they_could_not_read_they_did_not_do():
    text = "Failed to deserialize the JSON body into the target type"
    assert read_response(422, text.encode(), 2) == (Refused(text, REFUSED),) * 2
    assert meaning_of(text) is REFUSED


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_answer_leaves_doubt(body):
    with pytest.raises(VenueUnreachable, match="empty"):
        read_response(200, body, 1)


NONSENSE = (
    *(b"null", b"[]", b"<html>", b'"ok"', b"{}", b'{"status":"ok"}', b'{"status":"maybe","response":"x"}', b"\xff\xfe"),
    *(ok("done"), ok({}), ok(5), ok(None), ok({"resting": None}), ok({"resting": {}}), ok({"resting": {"oid": "5"}})),
    *(ok({"resting": {"oid": -1}}), ok({"resting": {"oid": 1}, "error": "x"}), ok({"filled": {"oid": 1}})),
    *(ok({"filled": {"totalSz": size, "avgPx": "1", "oid": 1}}) for size in ("0", "-1", "NaN", "Infinity", "x", "")),
    *(ok({"filled": {"totalSz": "1", "avgPx": price, "oid": 1}}) for price in ("0", "sNaN", "-Infinity")),
    b'{"status":"ok","response":{"type":"order","data":{"statuses":null}}}',
    b'{"status":"ok","response":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
)


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:60].decode("utf-8", "replace"))
def test_nonsense_is_said_to_be_that(body):
    with pytest.raises(VenueMisspoke):
        read_response(200, body, 1)


SEEDS = (
    ok({"resting": {"oid": 77738308, "cloid": "0xab"}}, "success", {"error": "Order has zero size."}),
    ok({"filled": {"totalSz": "0.02", "avgPx": "1891.4", "oid": 5}}, "waitingForFill", {"error": "x"}),
    err("User or API Wallet 0x00 does not exist."),
    b'{"status":"ok","response":{"type":"default"}}',
)
damages = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from("xdi"), st.binary(min_size=1, max_size=3)), max_size=4
)


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), damages, st.integers(0, 4), st.sampled_from([200, 422, 429, 500]))
@example(SEEDS[0], [], 3, 200)
def test_damage_is_a_typed_error_or_as_many_verdicts_as_were_asked_for(seed, damage, asked, status):
    body = bytearray(seed)
    for at, how, new in damage:
        at %= len(body) + 1
        body[at : at + (0 if how == "i" else len(new))] = b"" if how == "d" else new
    try:
        verdicts = read_response(status, bytes(body), asked)
    except (VenueUnreachable, VenueMisspoke):
        return
    assert len(verdicts) == max(asked, 1)
    assert not any(isinstance(verdict, Refused) and verdict.meaning is Meaning.DOUBT for verdict in verdicts)
