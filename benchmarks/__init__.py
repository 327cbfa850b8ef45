"""What the server does in a second, beside what its database could (README.md)."""
