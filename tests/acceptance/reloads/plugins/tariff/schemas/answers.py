"""Says of which edition it is."""

EDITION = 0
