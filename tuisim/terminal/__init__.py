"""Text pictures: lines with tones, tables, plots and charts. Shared by the app and the command line."""
