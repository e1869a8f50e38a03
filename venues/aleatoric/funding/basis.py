"""The basis of a composite pair: how far the perpetual's mark stands from spot, tick by tick.

The seed's API page gives the process: mean-reverting (theta 0.005 a tick) to 2 bps on the side of the current funding
rate, with shocks of 0.15 bps a tick, never beyond 15 bps. At rest it strays 1.5 bps from its aim.
"""

import numpy as np
from msgspec import Struct

from venues.aleatoric.transforms import quick_normals
from venues.aleatoric.words import Floats, Ints, Lane, Stream

THETA = 0.005  # a tick
SIGMA_BPS = 0.15  # a tick
AIM_BPS = 2.0
CAP_BPS = 15.0


class BasisShape(Struct, frozen=True, kw_only=True):
    """The process's four numbers; the page's, unless a manifest says otherwise."""

    theta: float = THETA
    sigma_bps: float = SIGMA_BPS
    aim_bps: float = AIM_BPS
    cap_bps: float = CAP_BPS


PAGE = BasisShape()


def basis_stream(seed: int, symbol: str) -> Stream:
    """The words of a pair's basis."""
    return Stream(seed, f"basis:{symbol}")


def basis_block(stream: Stream, block: int, start_bps: float, funding_signs: Ints, shape: BasisShape = PAGE) -> Floats:
    """The basis in bps after each tick of a block, from the last value of the block before (0 at the start).

    `funding_signs` is +1, -1 or 0 for each tick: the sign of the funding rate then in force. Raises ValueError where
    the start is beyond the cap. The cap makes each step depend on the one before, so they are taken one by one.
    """
    theta, cap_bps = shape.theta, shape.cap_bps
    if not -cap_bps <= start_bps <= cap_bps:
        raise ValueError(f"start_bps is {start_bps}, which is not from {-cap_bps:g} to {cap_bps:g}")
    shocks = quick_normals(stream.shorts(block, Lane.PREMIUM, len(funding_signs))) * shape.sigma_bps
    pulls = funding_signs * shape.aim_bps * theta + shocks
    basis, path = start_bps, []
    for pull in pulls.tolist():
        basis = min(max(basis - theta * basis + pull, -cap_bps), cap_bps)
        path.append(basis)
    return np.array(path, np.float64)
