"""What is taken along from a case: pictures, films, reports."""
