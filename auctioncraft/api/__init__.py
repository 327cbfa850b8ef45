"""What every endpoint shares: the error shape, strict parsing, pages, money and time on the wire, the root, schema."""
