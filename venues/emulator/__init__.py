"""Venues on the loopback: exchanges that speak the real wire over a made market, so that adapters can be proved."""
