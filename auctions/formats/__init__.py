"""How an auction is run: one module per format, pure functions on values, no Django."""
