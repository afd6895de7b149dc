"""Items by the thousand: lines of JSON that are stored while they come in."""
