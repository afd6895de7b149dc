"""What an embedding node does with the items of the index stream."""
