"""``python -m nst``."""

from nst.command.main import main

if __name__ == "__main__":
    main()
