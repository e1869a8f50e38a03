"""The funding rules of six exchanges, in two profiles: what the seed says, and what the venues do today.

`venue` is read from the venues' pages and announcements (dates in the notes). `aleatoric` has the figures of the seed's
architecture and of its funding page (aleatoric.systems/docs/funding-models); the two disagree on Hyperliquid's interval
(1 h and 8 h), and the architecture's is taken. Never published and therefore ours: how velocity grows (evenly with the
premium, from 1.0 at none to 2.5 at 0.5 %), what damping damps (premium and interest together; OKX by Binance's factor),
OKX's threshold (0.01 %: smaller premiums count for nothing), the insurance term (a quarter of what a premium is over
0.5 %).
"""

from decimal import Decimal

from venues.aleatoric.funding.rules import FundingRule

D = Decimal
EXCHANGES = ("binance", "hyperliquid", "okx", "bybit", "cme", "sgx")
PROFILES = ("venue", "aleatoric")

DEAD_BAND = D("0.0005")
VELOCITY_MAX = D("2.5")
EXTREME_PREMIUM = D("0.005")  # from here on velocity is full, and the insurance fund is in play
SHORTER_H = (4, 2, 1)
ALL_INTERVALS_H = (8, *SHORTER_H)

_VENUE = (
    FundingRule(
        exchange="binance",
        profile="venue",
        note="Binance USD-M, in force since 2025-09-18: divided by 8/N, capped at 0.75 maintenance margins or at what "
        "fundingInfo lists for the symbol, up to 3 %. Premium each 5 s with rising weights as its users reproduce it; "
        "that text of Binance's was not seen.",
        intervals_h=ALL_INTERVALS_H,
        weights="rising",
        divides=True,
        dead_band=DEAD_BAND,
        margin_multiple=D("0.75"),
        cap_hard=D("0.03"),
        trims=False,
    ),
    FundingRule(
        exchange="hyperliquid",
        profile="venue",
        note="Hyperliquid docs, Funding: premium each 5 s, averaged over the hour; an eighth of the eight-hour rate is "
        "paid each hour, at most 4 %. A HIP-3 deployer's multiplier is taken before the cap (ours).",
        interval_h=1,
        intervals_h=(1,),
        divides=True,
        dead_band=DEAD_BAND,
        cap_soft=D("0.04"),
        cap_hard=D("0.04"),
        quantum=D("1E-10"),
    ),
    FundingRule(
        exchange="okx",
        profile="venue",
        note="OKX help 360053909272, as of 2026-06-03: premium each minute (shown over the "
        "last N hours), divided by 8/N, capped per contract (BTC "
        "0.375 %, others up to 3 %). Since 2026-04-14 a rate at its cap shortens the interval by one step.",
        intervals_h=ALL_INTERVALS_H,
        shortens_to_h=SHORTER_H,
        sample_s=60,
        trails=True,
        divides=True,
        dead_band=DEAD_BAND,
        cap_soft=D("0.00375"),
        cap_hard=D("0.03"),
        quantum=D("1E-16"),
    ),
    FundingRule(
        exchange="bybit",
        profile="venue",
        note="Bybit, What is funding rate and predicted rate: premium each minute with weights 1 to n, interest scaled "
        "to the interval, no divisor. Caps seen per contract 0.8 % to 2 %; the formula behind them is unknown. Since "
        "2025-10-30 a rate at its cap shortens the interval to one hour.",
        intervals_h=ALL_INTERVALS_H,
        shortens_to_h=(1,),
        sample_s=60,
        weights="rising",
        interest_scales=True,
        dead_band=DEAD_BAND,
        cap_soft=D("0.008"),
        cap_hard=D("0.02"),
    ),
    FundingRule(
        exchange="cme",
        profile="venue",
        note="CME's futures are dated: the basis converges at expiry and nothing is paid on the way.",
        pays=False,
        cap_soft=D(0),
        cap_hard=D(0),
    ),
    FundingRule(
        exchange="sgx",
        profile="venue",
        note="SGX lists Bitcoin and Ether perpetuals since 2025-11-24 and caps their funding at 0.35 % (announced on "
        "2025-11-17). No formula or interval was found in public, so these are the seed's: a quarter of the spread "
        "plus interest, each 4 h.",
        interval_h=4,
        intervals_h=(4,),
        premium_share=D("0.25"),
        cap_soft=D("0.0035"),
        cap_hard=D("0.0035"),
    ),
)

_ALEATORIC = (
    FundingRule(
        exchange="binance",
        profile="aleatoric",
        note="The seed: premium + 0.01 %, damped by 0.95, soft cap 0.75 %, hard cap 2 %.",
        damping=D("0.95"),
        cap_soft=D("0.0075"),
        cap_hard=D("0.02"),
        trims=False,
    ),
    FundingRule(
        exchange="hyperliquid",
        profile="aleatoric",
        note="The seed: premium x velocity of 1.0 to 2.5 each hour, at most 4 %. How velocity grows is ours.",
        interval_h=1,
        intervals_h=(1,),
        interest=D(0),
        velocity_max=VELOCITY_MAX,
        velocity_full=EXTREME_PREMIUM,
        cap_soft=D("0.04"),
        cap_hard=D("0.04"),
        quantum=D("1E-10"),
    ),
    FundingRule(
        exchange="okx",
        profile="aleatoric",
        note="The seed: premium + interest with a threshold and damping, caps 0.5 % and 0.75 %. Threshold and factor "
        "are ours.",
        premium_threshold=D("0.0001"),
        damping=D("0.95"),
        cap_soft=D("0.005"),
        cap_hard=D("0.0075"),
        quantum=D("1E-16"),
    ),
    FundingRule(
        exchange="bybit",
        profile="aleatoric",
        note="The seed: premium + interest with insurance effects, caps 1 % and 2.5 %. The insurance term is ours.",
        insurance=D("0.25"),
        insurance_from=EXTREME_PREMIUM,
        cap_soft=D("0.01"),
        cap_hard=D("0.025"),
    ),
    FundingRule(
        exchange="cme",
        profile="aleatoric",
        note="The seed: an eighth of the premium + interest + 0.05 % carry each 8 h, uncapped.",
        premium_share=D("0.125"),
        carry=D("0.0005"),
    ),
    FundingRule(
        exchange="sgx",
        profile="aleatoric",
        note="The seed: a quarter of the spread + interest each 4 h, uncapped.",
        interval_h=4,
        intervals_h=(4,),
        premium_share=D("0.25"),
    ),
)

RULES = {(rule.exchange, rule.profile): rule for rule in (*_VENUE, *_ALEATORIC)}


def rule_of(exchange: str, profile: str = "venue") -> FundingRule:
    """The rule of an exchange in a profile. Raises ValueError naming what is unknown, and what is known."""
    if exchange not in EXCHANGES:
        raise ValueError(f"exchange is {exchange!r}, which has no funding rule; known are {', '.join(EXCHANGES)}")
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}, which has no figures; known are {', '.join(PROFILES)}")
    return RULES[exchange, profile]
