"""Pixel optimisers: L-BFGS, Adam and gradient descent for N images that never mix."""
