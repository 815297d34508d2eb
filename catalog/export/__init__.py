"""`catalog export`: the tables as files for a lake, a notebook or a spreadsheet, as of one moment."""
