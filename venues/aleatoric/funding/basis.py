"""The basis of a composite pair: how far the perpetual's mark stands from spot, tick by tick.

The seed's API page gives the process: mean-reverting (theta 0.005 a tick) to 2 bps on the side of the current funding
rate, with shocks of 0.15 bps a tick, never beyond 15 bps. At rest it strays 1.5 bps from its aim.
"""

import numpy as np

from venues.aleatoric.transforms import quick_normals
from venues.aleatoric.words import Floats, Ints, Lane, Stream

THETA = 0.005  # a tick
SIGMA_BPS = 0.15  # a tick
AIM_BPS = 2.0
CAP_BPS = 15.0


def basis_stream(seed: int, symbol: str) -> Stream:
    """The words of a pair's basis."""
    return Stream(seed, f"basis:{symbol}")


def basis_block(stream: Stream, block: int, start_bps: float, funding_signs: Ints) -> Floats:
    """The basis in bps after each tick of a block, from the last value of the block before (0 at the start).

    `funding_signs` is +1, -1 or 0 for each tick: the sign of the funding rate then in force. Raises ValueError where
    the start is beyond the cap. The cap makes each step depend on the one before, so they are taken one by one.
    """
    if not -CAP_BPS <= start_bps <= CAP_BPS:
        raise ValueError(f"start_bps is {start_bps}, which is not from {-CAP_BPS:g} to {CAP_BPS:g}")
    shocks = quick_normals(stream.shorts(block, Lane.PREMIUM, len(funding_signs))) * SIGMA_BPS
    pulls = funding_signs * AIM_BPS * THETA + shocks
    basis, path = start_bps, []
    for pull in pulls.tolist():
        basis = min(max(basis - THETA * basis + pull, -CAP_BPS), CAP_BPS)
        path.append(basis)
    return np.array(path, np.float64)
