"""Compose the config, run it, record it: ``python run.py --help``."""

from nst.command.main import main

if __name__ == "__main__":
    main()
