"""Readers of raw scans, built-in rooms, and the boxes that annotate them."""
