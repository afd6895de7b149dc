"""What models are asked and answer: the log, labels, drift and quality."""
