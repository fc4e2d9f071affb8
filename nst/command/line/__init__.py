"""The command line before Hydra sees it: what a person writes, and what Hydra is to read."""
