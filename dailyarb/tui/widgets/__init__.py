"""The panes of the console, on the line API."""
