"""Posteriors: who owns each region, by box membership, evidence against background, and Gaussian Processes."""
