"""Tables in CSV, JSONL and Parquet: cut into chunks, read, scored, and written with a row of results for each row."""
