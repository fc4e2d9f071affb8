"""What is measured on the pictures of a sweep: on each, between seeds, by a held-out network."""
