"""One joint Gaussian Process over all owners of all regions, whose precision is the Laplacian of the region graph."""
