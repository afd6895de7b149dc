"""What reports call those who encode."""

NAME = "ml-platform"
LIBRARY = "sentence-transformers"
IN_REQUESTS = "sentence-transformers, a call for each request"
