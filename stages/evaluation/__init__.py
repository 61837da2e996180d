"""Pseudo-labels against the ground truth of one scene: overlaps, matches and samples that a data set's figures pool."""
