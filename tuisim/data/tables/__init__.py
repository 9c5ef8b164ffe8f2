"""Tables as people have them: text in any common format, spreadsheets and Parquet, read by pandas."""
