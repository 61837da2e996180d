"""The figures of a whole data set, pooled over the evaluations of its scenes, as tables for people and programs."""
