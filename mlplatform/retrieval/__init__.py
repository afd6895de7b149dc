"""How good a search is: judged collections, measures, evaluation and tuning, through the API of the search service."""
