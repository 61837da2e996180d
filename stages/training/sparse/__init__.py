"""Convolutions on the occupied voxels of scenes, in plain torch."""
