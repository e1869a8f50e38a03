"""Examples of requests in the OpenAPI document; a test sends each of them."""

from typing import Any

PAGE_CONFIG = {"symbol": "BTC", "initial_price": 50000.0, "volatility_annual": 0.60, "seed": 42}
GENERATE = {
    "page": {"config": PAGE_CONFIG, "duration_seconds": 60},
    "preset": {"preset": "hyperliquid_perp_sol", "config": {"seed": 7}, "duration_seconds": 30},
}
BOOK = {"coin": "BTC", "time": 1767571200000, "levels": [[{"px": "110000.0", "sz": "1.5", "n": 3}], []]}

EXAMPLES: dict[str, dict[str, Any]] = {
    "/data/generate": GENERATE,
    "/v1/data/generate": GENERATE,
    "/v1/jobs/generate": GENERATE,
    "/mcp/generate_dataset": GENERATE,
    "/mcp/config/validate": {"page": {"config": PAGE_CONFIG}},
    "/mcp/normalize": {
        "hyperliquid": {
            "source": "hyperliquid",
            "symbol": "BTC",
            "events": [{"payload": {"channel": "l2Book", "data": BOOK}}],
            "stream": False,
            "enable_cache": False,
        }
    },
    "/mcp/simulate_funding_regime": {
        "page": {
            "exchange": "binance",
            "spot_price": 50000.0,
            "mark_price": 50050.0,
            "position_size": 1.0,
            "num_periods": 3,
            "use_soft_cap": True,
            "seed": 42,
        }
    },
}
"""By path: a name and a body."""
