"""Requests per second of the server, compared to the limit of its database (README.md)."""
