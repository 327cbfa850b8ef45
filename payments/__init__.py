"""Orders, and Stripe: what is owed, what was paid, what Stripe said."""
