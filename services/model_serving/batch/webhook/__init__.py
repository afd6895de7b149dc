"""What is sent to an address of the caller's choice when a job has ended."""
