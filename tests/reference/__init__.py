"""Published problems with answers from other software."""
