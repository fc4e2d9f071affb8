"""What a run writes: its folder, its record, its losses step by step, and W&B."""
