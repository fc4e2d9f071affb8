"""Reports: sweeps read back, judged, drawn, and written as one page."""
