"""Superpoints: regions of points that belong together, from meshes, from points alone, or given."""
