"""Scheduled jobs: what plugins declare, when it is due, and who runs it."""
