"""What is listed at the start: a list that lacks what must be in it is no list; leverages that nobody confirmed."""

from decimal import Decimal

import pytest

from config.universe import load_universe
from tests.venues.hyperliquid.said import LISTED
from tests.venues.hyperliquid.scripted import NOW_NS, ScriptedAsker
from venues.hyperliquid.opening import (
    LISTING_TRIES,
    NEVER_SET,
    DexUnlisted,
    Leverages,
    is_unified,
    listed,
)
from venues.market import Instrument
from venues.venue import VenueUnreachable

DEXS = [None, {"name": "xyz"}]
FACTS = load_universe("perps")


def universe(*names):
    return {"universe": [LISTED | {"name": name, "szDecimals": 3, "maxLeverage": 10} for name in names]}


def asker(main, built, dexs=(DEXS,)):
    """Each is what is answered one time after the other."""
    metas = {"": list(main), "xyz": list(built)}

    def meta(body):
        answers = metas[body.get("dex", "")]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return ScriptedAsker(perpDexs=dexs, meta=[meta])


def held(*names):
    """What the ledger holds, by rules that the venue does not have."""
    return {
        name: Instrument(symbol=name, engine="perps", tick=Decimal("0.5"), lot=Decimal("0.25"), leverage=3)
        for name in names
    }


async def opened(asker, *names, holding=(), said=None):
    tell = [].append if said is None else said.append
    return await listed(asker, [FACTS[name] for name in names], held(*holding), tell)


@pytest.mark.parametrize("nothing", [None, {"universe": []}])
async def test_an_empty_list_is_asked_for_again(nothing):
    found = await opened(asker([universe("BTC")], [nothing, nothing, universe("xyz:TSLA")]), "BTC", "xyz:TSLA")
    assert [one.symbol for one in found.universe.instruments] == ["BTC", "xyz:TSLA"]
    assert found.dexs == ("", "xyz")


@pytest.mark.parametrize("nothing", [None, {"universe": []}])
async def test_a_dex_that_lists_nothing_again_and_again_is_an_error_that_names_it(nothing):
    scripted = asker([universe("BTC")], [nothing])
    with pytest.raises(DexUnlisted, match="dex xyz: the venue says that it lists nothing") as caught:
        await opened(scripted, "BTC", "xyz:TSLA")
    assert caught.value.dex == "xyz"
    assert len(scripted.clock.slept) == LISTING_TRIES - 1
    with pytest.raises(DexUnlisted, match="the main dex"):
        await opened(asker([nothing], [universe("xyz:TSLA")]), "xyz:TSLA")


async def test_a_dex_that_the_venue_does_not_know_is_an_error_where_something_is_held_in_it():
    with pytest.raises(DexUnlisted, match="does not know it, and the ledger holds xyz:TSLA"):
        await opened(asker([universe("BTC")], [None], [[None]]), "BTC", "xyz:TSLA", holding=["xyz:TSLA"])
    said = []
    found = await opened(asker([universe("BTC")], [None], [[None]]), "BTC", "xyz:TSLA", said=said)
    assert (found.dexs, [one.symbol for one in found.universe.instruments]) == (("",), ["BTC"])
    assert any("xyz:TSLA is not traded" in text for text in said)


async def test_what_is_held_and_not_listed_any_more_is_looked_at_by_the_rules_it_was_bought_by():
    said, scripted = [], asker([universe("BTC")], [universe("xyz:NVDA")])
    found = await opened(scripted, "BTC", "xyz:TSLA", holding=["xyz:TSLA"], said=said)
    assert len(scripted.clock.slept) == LISTING_TRIES - 1, "it may be a list that is not whole yet"
    assert found.held == tuple(held("xyz:TSLA").values())
    assert "xyz:TSLA" not in found.universe.assets, "nobody can order it"
    assert any("its position is looked at" in text for text in said)


class Desk:
    """Sets leverages as told."""

    def __init__(self, **answers):
        self.answers = answers
        self.set = []

    async def set_leverage(self, asset, leverage, *, cross):
        self.set.append((asset.name, leverage, cross))
        answer = self.answers.get(asset.name, "")
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_leverage_is_open_until_it_is_set_and_is_tried_again_with_pauses():
    scripted = asker([universe("BTC", "ETH")], [None])
    found = await opened(scripted, "BTC", "ETH")
    said, desk = [], Desk(BTC="Insufficient margin", ETH=VenueUnreachable("gone"))
    leverages = Leverages(desk, found.universe, said.append)
    assert leverages.open == {"BTC": NEVER_SET, "ETH": NEVER_SET}
    for _ in range(2):
        await leverages.confirm([])
    assert leverages.open.keys() == {"BTC", "ETH"}
    assert len(said) == 2, "each is told once"
    assert said[0].startswith("BTC is not entered: its leverage could not be set to")
    asked = []

    async def states():
        asked.append(scripted.clock.at_ns)
        if len(asked) == 1:
            raise VenueUnreachable("still gone")
        desk.answers.pop("BTC" if len(asked) == 2 else "ETH")
        return []

    await leverages.go_on(scripted.clock, states)
    assert leverages.open == {}
    assert [text.split(":")[0] for text in said[2:]] == ["leverage of BTC is 10 now", "leverage of ETH is 10 now"]
    assert asked[0] > NOW_NS and asked == sorted(set(asked))


@pytest.mark.parametrize(
    ("mode", "unified"),
    [("disabled", False), ("default", False), ("dexAbstraction", False), ("unifiedAccount", True)],
)
async def test_whether_the_pockets_are_one_is_asked(mode, unified):
    said = []
    assert await is_unified(ScriptedAsker(userAbstraction=[mode]), "0x", said.append) is unified
    assert said == []


async def test_where_nobody_says_the_pockets_are_separate_and_that_is_told():
    said = []
    assert not await is_unified(ScriptedAsker(userAbstraction=[VenueUnreachable("no")]), "0x", said.append)
    assert said == ["the account is taken for one of separate pockets: VenueUnreachable: no"]
