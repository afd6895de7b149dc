"""What a model's inputs and predictions looked like in training, and how far they are from that now."""
