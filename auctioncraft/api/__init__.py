"""Conventions of all endpoints: errors, parsing, fields, filters, pages, idempotency, throttling, the schema."""
