"""Races over HTTP against running servers, each with its safeguard and, as a negative control, without it."""
