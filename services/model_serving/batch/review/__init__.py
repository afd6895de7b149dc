"""Results that a person looks at, and what is learned from that."""
