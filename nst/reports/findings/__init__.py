"""Claims of the literature, what must hold before runs can speak to them, and the verdicts."""
