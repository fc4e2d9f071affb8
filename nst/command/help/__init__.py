"""Help: pages of the command line, and docs/configuration.md."""
