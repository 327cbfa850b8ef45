"""Transfers to sellers and their reversals."""
