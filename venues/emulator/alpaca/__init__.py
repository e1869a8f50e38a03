"""An emulated Alpaca: accounts, orders and market data of coins and US shares, over REST and streams."""
