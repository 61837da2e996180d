"""Figures of the predictions of a trained network."""
