"""Sector slots, counted from what lives."""

from risk.sector import Exposure, cap, counts, entry_over, entry_under_way, position_changed, restored


def test_positions_and_entries_under_way_take_slots():
    exposure = position_changed(Exposure(), "AMD", "Semis", flat=False)
    exposure = entry_under_way(exposure, "i1", "MRVL", "Semis")
    exposure = entry_under_way(exposure, "i2", "USO", "Energy")
    assert exposure.counts == {"Semis": 2, "Energy": 1}
    assert exposure.members == {"MRVL": "Semis", "USO": "Energy", "AMD": "Semis"}


def test_a_symbol_takes_one_slot_however_many_orders_it_has():
    exposure = entry_under_way(entry_under_way(Exposure(), "i1", "AMD", "Semis"), "i2", "AMD", "Semis")
    exposure = position_changed(exposure, "AMD", "Semis", flat=False)
    assert exposure.counts == {"Semis": 1}
    assert entry_under_way(exposure, "i1", "AMD", "Semis") == exposure


def test_a_slot_is_free_again_when_its_order_dies_unfilled():
    """A seed engine counted at submission and never gave a slot back (D15)."""
    exposure = entry_under_way(Exposure(), "i1", "AMD", "Semis")
    assert entry_over(exposure, "i1").counts == {}
    filled = entry_over(position_changed(exposure, "AMD", "Semis", flat=False), "i1")
    assert filled.counts == {"Semis": 1}
    assert position_changed(filled, "AMD", "Semis", flat=True).counts == {}
    assert entry_over(Exposure(), "never seen") == Exposure()
    assert position_changed(Exposure(), "never held", "", flat=True) == Exposure()


def test_it_is_restored_from_what_lives():
    exposure = restored([("AMD", "Semis")], [("i1", "MRVL", "Semis"), ("i2", "AMD", "Semis")])
    assert exposure.counts == {"Semis": 2}


def test_names_without_a_sector_are_not_counted():
    assert counts({"BTC": "", "AMD": "Semis"}) == {"Semis": 1}


def test_caps():
    caps = {"Energy": 1, "Semis": 2}
    assert [cap(sector, caps, 3) for sector in ("Energy", "Semis", "Staples")] == [1, 2, 3]
