"""A stand-in for Stripe, for development and tests only: a small HTTP server the real `stripe` SDK talks to."""
