"""Import of a data file: choose it, see and change the roles of its columns, and fill the form."""
