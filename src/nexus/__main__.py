"""Lets `python -m nexus` do what the `nexus` command does."""

from nexus.cli import main

if __name__ == "__main__":
    main()
