"""Users, one-time codes, sessions and tokens."""
