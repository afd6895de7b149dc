"""Large inputs, embedded in the background and kept in S3."""
