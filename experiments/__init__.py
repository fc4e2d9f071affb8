"""Studies, each a module, and their figures."""
