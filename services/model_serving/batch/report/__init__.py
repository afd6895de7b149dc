"""What a job came to: counts, answers, times, and how far its items are from those of training."""
