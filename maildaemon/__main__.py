"""``python -m maildaemon``."""

from maildaemon.cli import main

if __name__ == "__main__":
    main()
