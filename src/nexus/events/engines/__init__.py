"""The engines of the durable log."""
