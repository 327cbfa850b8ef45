"""The simulate command."""
