"""Funding as data: what longs of a perpetual pay shorts, by the rule of each venue and from one premium path."""
