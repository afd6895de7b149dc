"""The process that scores chunks. It may die of what it scores; nothing else does."""
