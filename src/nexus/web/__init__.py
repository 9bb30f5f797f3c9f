"""The HTTP front: dispatcher, mounts, errors, documentation and the management API."""
