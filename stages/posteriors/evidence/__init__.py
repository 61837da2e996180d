"""Evidence that a region inside a box is background after all: straddling, floor, facing."""
