"""What the training programs share: command line, progress, measures, plots, and the way into the registry."""
