"""Generated markets as artifacts: rows, files, a cache, drivers that make them, a picture."""
