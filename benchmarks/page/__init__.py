"""Parts that every page of results is made of."""
