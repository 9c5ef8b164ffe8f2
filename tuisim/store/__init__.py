"""Files kept between two starts of the program: documents, past runs, and the log."""
