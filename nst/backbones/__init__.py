"""Frozen networks: one file for each kind, their weights, pooling, and faster convolutions."""
