"""The cache: what is kept is found again, row by row, and damage is noticed."""

import json

import numpy as np
import pytest
from msgspec.structs import asdict, replace

from config.errors import ConfigError
from venues.aleatoric.artifacts.cache import Cache, CacheDamaged, key_of
from venues.aleatoric.batch import Batch
from venues.aleatoric.manifest import manifest_hash
from venues.aleatoric.model import GENERATOR_VERSION
from venues.aleatoric.presets import get_preset
from venues.aleatoric.scenarios import parse_scenario


def a_batch(name="hyperliquid_perp_wlfi"):
    befalls = tuple(map(parse_scenario, ["one_sided@2m", "gap@5m", "crossed@7m"]))
    return Batch(replace(get_preset(name), scenarios=befalls), 1_200)


def same(one, other):
    for name, value in asdict(one).items():
        assert np.array_equal(value, getattr(other, name)), name
        assert np.asarray(value).dtype == np.asarray(getattr(other, name)).dtype, name


@pytest.mark.parametrize("name", ["hyperliquid_perp_wlfi", "hyperliquid_perp_btc", "crypto:BTC/USD", "alpaca"])
def test_what_is_kept_comes_back(tmp_path, name):
    batch = a_batch("equities:PLTR" if name == "alpaca" else name)
    cache = Cache(tmp_path / "cache")
    sidecar = cache.keep(batch, batch.rows())
    for made, kept in zip(batch.rows(), cache.rows(sidecar.key), strict=True):
        same(made, kept)
    assert cache.find(sidecar.key) == sidecar
    assert cache.entries() == [sidecar]
    assert sidecar.ratio > 3


def test_the_sidecar_says_what_it_is(tmp_path):
    batch = a_batch()
    sidecar = Cache(tmp_path).keep(batch, batch.rows())
    said = json.loads((tmp_path / f"{sidecar.key}.json").read_text())
    assert said["manifest_hash"] == manifest_hash(batch.manifest)
    assert said["generator_version"] == GENERATOR_VERSION
    assert said["row_count"] == said["books"] + said["trades"] == sum(rows.events for rows in batch.rows())
    assert said["manifest"]["symbol"] == "WLFI"
    assert said["cached_bytes"] == (tmp_path / f"{sidecar.key}.rows.lz4").stat().st_size


def test_a_key_is_of_manifest_and_length():
    manifest = get_preset("hyperliquid_perp_btc")
    batches = Batch(manifest, 60), Batch(manifest, 61), Batch(replace(manifest, seed=1), 60)
    assert len(set(map(key_of, batches))) == 3
    assert key_of(Batch(manifest, 60)) == key_of(Batch(replace(manifest), 60.0))


def test_a_key_is_of_the_calendar_where_there_is_a_session():
    def keys(name):
        return {key_of(Batch(get_preset(name), 60, calendar=calendar)) for calendar in ("one", "another")}

    assert len(keys("equities:PLTR")) == 2
    assert len(keys("perps:SOL")) == 1


def test_a_run_that_is_interrupted_leaves_nothing(tmp_path):
    def rows(batch):
        yield next(batch.rows())
        raise KeyboardInterrupt

    batch = a_batch()
    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).keep(batch, rows(batch))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "flip", "sidecar", "empty"])
def test_damage_is_noticed(tmp_path, damage):
    batch, cache = a_batch(), Cache(tmp_path)
    key = cache.keep(batch, batch.rows()).key
    data, sidecar = tmp_path / f"{key}.rows.lz4", tmp_path / f"{key}.json"
    raw = bytearray(data.read_bytes())
    if damage == "cut":
        data.write_bytes(raw[: len(raw) // 2])
    elif damage == "flip":
        raw[len(raw) // 2] ^= 1
        data.write_bytes(raw)
    elif damage == "sidecar":
        sidecar.write_text("{")
    else:
        data.write_bytes(b"")
    with pytest.raises(CacheDamaged, match=key):
        list(cache.rows(key))


def test_removing_and_asking_for_what_is_not_there(tmp_path):
    batch, cache = a_batch(), Cache(tmp_path)
    key = cache.keep(batch, batch.rows()).key
    assert cache.remove(key)
    assert not cache.remove(key)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="there is no such run"):
        list(cache.rows(key))
    with pytest.raises(ConfigError, match="hexadecimal"):
        cache.find("../../etc/passwd")
