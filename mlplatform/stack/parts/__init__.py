"""The parts of the stack: for each, what it adds to the settings and the program that provides it."""
