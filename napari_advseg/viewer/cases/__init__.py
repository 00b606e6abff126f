"""The dock of many cases: the list, the table, what is looked at, and attacking all of them."""
