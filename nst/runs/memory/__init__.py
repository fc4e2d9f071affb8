"""Whether a run fits into memory, read off a rehearsal of the run itself."""
