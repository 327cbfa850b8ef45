"""Who somebody is: accounts, one-time codes, passwords, tokens."""
