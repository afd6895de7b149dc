"""Filling a space that is not searched yet, or is kept for a roll-back."""
