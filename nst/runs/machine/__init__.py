"""What a run shares with the rest of the machine: threads, cores, signals."""
