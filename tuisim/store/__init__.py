"""What is kept on disk between two starts of the program: where, in which form, and what past runs took."""
