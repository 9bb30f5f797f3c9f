"""`python -m nexus.cli` is the `nexus` command."""

from nexus.cli.main import main

if __name__ == "__main__":
    main()
