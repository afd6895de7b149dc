"""How the models of each library are called."""
