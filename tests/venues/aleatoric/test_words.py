"""Words by address: the published generator, the same whatever was asked before."""

import numpy as np
import pytest

from venues.aleatoric.words import Lane, Stream, splitmix64, stream_of


def test_the_generator_is_philox_4x64_10():
    stream = Stream(0, "any")
    stream._key = np.zeros(2, np.uint64)
    # Random123, kat_vectors: philox4x64 10, counter and key all zeros
    known = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert stream.words(0, 0, 4).tolist() == known


def test_words_depend_on_their_address_alone():
    stream = Stream(7, "symbol:BTC")
    first = stream.words(3, Lane.MOVES, 100)
    stream.words(9, Lane.GAPS, 7)
    assert (stream.words(3, Lane.MOVES, 40) == first[:40]).all()
    reseeded = Stream(8, "symbol:BTC").words(3, Lane.MOVES, 100)
    others = [stream.words(4, Lane.MOVES, 100), stream.words(3, Lane.GAPS, 100), reseeded]
    assert not np.intersect1d(first, np.concatenate(others)).size


def test_golden_words():
    assert stream_of("symbol:BTC") == 14586966778334662652
    assert Stream(7, "symbol:BTC").words(2, Lane.SHOCKS, 2).tolist() == [12727466771067042240, 6304853908194347254]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_outside_64_bits_is_refused(seed):
    with pytest.raises(ValueError, match="seed is"):
        Stream(seed, "x")


def test_uniform_numbers_are_inside_and_even():
    stream = Stream(1, "x")
    for numbers in (stream.uniforms(0, 0, 40_001), stream.chances(0, 0, 40_001)):
        assert len(numbers) == 40_001
        assert 0 < numbers.min() < 1e-3
        assert 1 - 1e-3 < numbers.max() < 1
        assert abs(numbers.mean() - 0.5) < 0.01
        assert abs(numbers.var() - 1 / 12) < 0.002
    assert len(stream.bytes(0, 0, 13)) == 13
    assert len(stream.shorts(0, 0, 13)) == 13


def test_the_hash_is_splitmix64():
    # The first output of splitmix64.c for state 1234567
    assert splitmix64(np.array([1234567], np.uint64)).tolist() == [6457827717110365317]
