"""Which reports are there? One file each: its question, parameters, columns and chart, then SQL or Python."""
