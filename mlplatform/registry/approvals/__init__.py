"""Another person's yes to a promotion."""
