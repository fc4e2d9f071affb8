"""Losses: one file for each, and the objective that sums them."""
