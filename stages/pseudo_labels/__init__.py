"""Pseudo-labels: masks with mean and variance for each object, the product of a run."""
