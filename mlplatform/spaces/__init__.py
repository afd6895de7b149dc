"""Embedding spaces: the tables of vectors, one for each set of weights, and the change from one to another."""
