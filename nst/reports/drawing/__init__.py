"""Figures and contact sheets of a sweep, for a screen and for print."""
