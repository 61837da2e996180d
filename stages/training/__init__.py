"""Training of 3D instance segmentation networks on pseudo-labels."""
