"""Transfers to sellers and their reversals, at the double."""
