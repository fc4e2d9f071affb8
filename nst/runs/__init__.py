"""Runs: from configs to steps, batches and memory, and the folder that records them."""
