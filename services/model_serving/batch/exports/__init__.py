"""Results of jobs as files."""
