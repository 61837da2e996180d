"""Losses on masks, classes and moments of proposals."""
