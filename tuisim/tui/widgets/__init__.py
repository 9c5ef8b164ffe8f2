"""What is drawn on a screen: charts, tables and panels. Nothing here computes a number that the command line could want."""
