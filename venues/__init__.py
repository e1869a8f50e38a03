"""venues speak: the market vocabulary, the Venue protocol and everything that implements it."""
