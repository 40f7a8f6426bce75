"""Trading sessions as the command line and the API ask for them."""
