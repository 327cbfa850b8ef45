"""Shared code that names no app: money, the clock, errors, jobs, logging, model fields."""
