"""What reports call those who encode."""

NAME = "ml-platform"
LIBRARY = "sentence-transformers"
IN_REQUESTS = "sentence-transformers, 32 a call"
