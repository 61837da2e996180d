"""Corrections by people: the page, the file, and what they would gain."""
